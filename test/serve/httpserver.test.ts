// HTTP as clients meet it: the list, images and their ranges, refusals, and clients that go.
import { once } from "node:events";
import { renameSync, writeFileSync } from "node:fs";
import { type IncomingMessage, type OutgoingHttpHeaders, request } from "node:http";
import { get as getTls } from "node:https";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { newAuthority, writeTlsFiles } from "../support/certificates.ts";
import { resourcesOf } from "../support/engine.ts";
import { temporaryFolder } from "../support/folder.ts";
import { edited, noise } from "../support/images.ts";
import { seededRandom } from "../support/random.ts";
import { coreImage, damageMiddle, packed, rawImage, served } from "../support/served.ts";

const RAW = rawImage(1);
const CORE = coreImage(2);
const NAME = "folder/b & <c>.core";
const PATH = "/images/folder/b%20%26%20%3Cc%3E.core";

interface Answer {
  status: number;
  headers: IncomingMessage["headers"];
  body: Buffer;
  isWhole: boolean;
}

async function ask(url: string, headers: OutgoingHttpHeaders = {}, method = "GET") {
  const asked = request(url, { method, headers, agent: false });
  asked.end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  const parts: Buffer[] = [];
  response.on("data", (part: Buffer) => parts.push(part));
  // A cut is an error, and what we want to see is what came before it.
  response.on("error", () => undefined);
  await new Promise((resolve) => response.once("close", resolve));
  const { statusCode = 0, headers: found, complete: isWhole } = response;
  const answer: Answer = {
    status: statusCode,
    headers: found,
    body: Buffer.concat(parts),
    isWhole,
  };
  return answer;
}

async function opened() {
  return served(await packed({ "a.raw": RAW, [NAME]: CORE }));
}

describe("the list", () => {
  it("is a page for people and an object for programs", async () => {
    const { origin } = await opened();
    const page = await ask(`${origin}/`);
    expect(page.headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(page.body.toString()).toContain(`<a href="${PATH}">folder/b &#38; &#60;c&#62;.core</a>`);
    for (const [path, headers] of [
      ["/images.json", {}],
      ["/?format=json", {}],
      ["/", { Accept: "application/json" }],
    ] as const) {
      const { body } = await ask(origin + path, headers);
      const { schema, images } = JSON.parse(body.toString());
      expect(schema).toBe("pagefold/served-images/1");
      expect(images.map(({ name }: { name: string }) => name)).toEqual(["a.raw", NAME]);
      expect(images[1]).toMatchObject({ format: "elf-core", byteLength: CORE.length, href: PATH });
    }
  });

  it("answers nobody who was led here under another name", async () => {
    const { origin } = await opened();
    for (const host of ["evil.example", "evil.example:80", "localhost.evil.example", "[::1"]) {
      expect((await ask(`${origin}/`, { Host: host })).status).toBe(421);
    }
    for (const host of ["localhost", "127.0.0.1:1", "[::1]:80"]) {
      expect((await ask(`${origin}/`, { Host: host })).status).toBe(200);
    }
  });
});

describe("an image", () => {
  it("is given whole, in ranges, or not again", async () => {
    const { origin } = await opened();
    for (const [path, bytes] of [["/images/a.raw", RAW] as const, [PATH, CORE] as const]) {
      const whole = await ask(origin + path);
      expect(whole.status).toBe(200);
      expect(whole.body.equals(bytes)).toBe(true);
      expect(whole.headers).toMatchObject({
        "accept-ranges": "bytes",
        "content-length": String(bytes.length),
        "content-type": "application/octet-stream",
      });
      const { etag = "", "last-modified": modified = "" } = whole.headers;
      expect(etag).toMatch(/^"[0-9a-f]{32}"$/);
      const head = await ask(origin + path, {}, "HEAD");
      expect(head.headers).toMatchObject({ etag, "content-length": String(bytes.length) });
      expect(head.body).toHaveLength(0);
      expect((await ask(origin + path, { "If-None-Match": etag })).status).toBe(304);
      expect((await ask(origin + path, { "If-Modified-Since": modified })).status).toBe(304);
      expect((await ask(origin + path, { "If-Match": '"x"' })).status).toBe(412);
      const ranged = { Range: "bytes=-10", "If-Range": etag };
      expect((await ask(origin + path, ranged)).body).toEqual(bytes.subarray(-10));
      const other = { Range: "bytes=-10", "If-Range": '"x"' };
      expect((await ask(origin + path, other)).status).toBe(200);
    }
  });

  it("gives every range its bytes", async () => {
    const { origin } = await opened();
    const random = seededRandom(5);
    for (const [path, bytes] of [["/images/a.raw", RAW] as const, [PATH, CORE] as const]) {
      await Promise.all(
        Array.from({ length: 40 }, async () => {
          const start = random.int(bytes.length);
          const end = Math.min(bytes.length, start + 1 + random.int(200_000));
          const answer = await ask(origin + path, { Range: `bytes=${start}-${end - 1}` });
          expect(answer.status).toBe(206);
          const field = `bytes ${start}-${end - 1}/${bytes.length}`;
          expect(answer.headers["content-range"]).toBe(field);
          expect(answer.body.equals(bytes.subarray(start, end))).toBe(true);
        }),
      );
    }
    const beyond = await ask(`${origin}${PATH}`, { Range: `bytes=${CORE.length}-` });
    expect(beyond.status).toBe(416);
    expect(beyond.headers["content-range"]).toBe(`bytes */${CORE.length}`);
  });

  it("gives several ranges as parts", async () => {
    const { origin } = await opened();
    const { status, headers, body } = await ask(`${origin}/images/a.raw`, {
      Range: "bytes=0-9,5000-5004,-3",
    });
    expect(status).toBe(206);
    expect(body).toHaveLength(Number(headers["content-length"]));
    const [, boundary] = /^multipart\/byteranges; boundary=(.+)$/.exec(
      headers["content-type"] as string,
    ) as RegExpExecArray;
    const size = RAW.length;
    const parts = [
      [0, 10],
      [5000, 5005],
      [size - 3, size],
    ].map(([start, end]) => {
      const range = `Content-Range: bytes ${start}-${end - 1}/${size}`;
      const head = `--${boundary}\r\nContent-Type: application/octet-stream\r\n${range}\r\n\r\n`;
      return Buffer.concat([Buffer.from(head), RAW.subarray(start, end), Buffer.from("\r\n")]);
    });
    expect(body).toEqual(Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]));
  });

  it("is refused in words", async () => {
    const { origin } = await opened();
    for (const path of ["/images/none", "/images/%zz", "/images/../a.raw", "/x", "/images/"]) {
      expect((await ask(origin + path)).status).toBe(404);
    }
    const { status, headers } = await ask(`${origin}/images/a.raw`, {}, "PUT");
    expect([status, headers.allow]).toEqual([405, "GET, HEAD"]);
  });

  it("is what it was when the archive's name means another file", async () => {
    const archive = await packed({ "a.raw": RAW });
    const { origin } = await served(archive);
    writeFileSync(`${archive.path}.new`, "no archive");
    renameSync(`${archive.path}.new`, archive.path);
    expect((await ask(`${origin}/images/a.raw`)).body.equals(RAW)).toBe(true);
  });

  it("that was made against a base needs it", async () => {
    const base = rawImage(7);
    const folder = temporaryFolder();
    const basePath = `${folder}/base.raw`;
    writeFileSync(basePath, base);
    const image = edited(seededRandom(8), base, 2);
    const archive = await packed({ "a.raw": image }, { base: { path: basePath } });
    await expect(served(archive)).rejects.toMatchObject({ code: "BASE" });
    const { origin } = await served(archive, { base: { path: basePath } });
    expect((await ask(`${origin}/images/a.raw`)).body.equals(image)).toBe(true);
  });
});

describe("what is damaged", () => {
  it("is 500 before anything was said, and a cut afterwards", async () => {
    const bytes = noise(seededRandom(4), 2048);
    const archive = await packed({ "a.raw": bytes });
    const { origin } = await served(archive);
    damageMiddle(archive.path);
    const middle = await ask(`${origin}/images/a.raw`, { Range: "bytes=4194304-4259839" });
    expect(middle.status).toBe(500);
    expect(middle.body.toString()).toMatch(/^cluster \d+: wrong checksum\n$/);
    const start = await ask(`${origin}/images/a.raw`, { Range: "bytes=0-1048575" });
    expect(start.body.equals(bytes.subarray(0, 1 << 20))).toBe(true);
    const whole = await ask(`${origin}/images/a.raw`);
    expect([whole.status, whole.isWhole]).toEqual([200, false]);
    expect(whole.body.equals(bytes.subarray(0, whole.body.length))).toBe(true);
  });
});

it("does no more than a client takes, and nothing for one that has gone", async () => {
  const archive = await packed({ "a.raw": Buffer.alloc(96 << 20, "always the same ") });
  const { origin } = await served(archive);
  const { pool } = resourcesOf(archive.engine);
  let tasks = 0;
  const run = pool.run.bind(pool);
  pool.run = ((task: never) => {
    tasks++;
    return run(task);
  }) as typeof pool.run;
  const asked = request(`${origin}/images/a.raw`, { agent: false });
  asked.end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  response.on("error", () => undefined);
  await once(response, "readable");
  await delay(500);
  const before = tasks;
  expect(before).toBeLessThan(24);
  asked.destroy();
  await delay(200);
  expect(tasks).toBeLessThanOrEqual(before + 1);
});

it("at TCP with certificates: only for clients that show one", async () => {
  const folder = temporaryFolder();
  const authority = newAuthority("ours");
  writeTlsFiles(folder, authority);
  const { httpUrl = "" } = await served(await packed({ "a.raw": RAW }), { tlsDirectory: folder });
  expect(httpUrl).toMatch(/^https:/);
  const statusOf = async (issuer = authority): Promise<number | string> => {
    const { certPem: cert, keyPem: key } = issuer.issue("client");
    const options = { ca: authority.certPem, cert, key, agent: false };
    return new Promise((resolve) => {
      getTls(`${httpUrl}images.json`, options, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      }).on("error", () => resolve("refused"));
    });
  };
  expect(await statusOf()).toBe(200);
  expect(await statusOf(newAuthority("theirs"))).toBe("refused");
});

it("refuses a network without TLS, and a name that is not there", async () => {
  const archive = await packed({ "a.raw": RAW });
  await expect(served(archive, { http: "0.0.0.0:0" })).rejects.toMatchObject({
    code: "USAGE",
    message: expect.stringContaining("--listen 0.0.0.0:0: refused without TLS"),
  });
  await expect(served(archive, { nbd: "0.0.0.0:0" })).rejects.toMatchObject({ code: "USAGE" });
  await expect(served(archive, { names: ["b"] })).rejects.toMatchObject({ code: "RANGE" });
  const { images } = await served(archive, { http: "0.0.0.0:0", insecure: true });
  expect(images).toEqual([{ name: "a.raw", byteLength: RAW.length }]);
});
