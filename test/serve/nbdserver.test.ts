// NBD as clients meet it: the two phases, every byte, every refusal.

import { once } from "node:events";
import { statSync } from "node:fs";
import { connect } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { describe, expect, it } from "vitest";
import { newAuthority, writeTlsFiles } from "../support/certificates.ts";
import { temporaryFolder } from "../support/folder.ts";
import { noise } from "../support/images.ts";
import { NbdClient, text, u32 } from "../support/nbdclient.ts";
import { seededRandom } from "../support/random.ts";
import { coreImage, damageMiddle, packed, rawImage, served } from "../support/served.ts";

const RAW = rawImage(1);
const CORE = coreImage(2);
const ERR_UNSUP = 2 ** 31 + 1;
const ERR_POLICY = 2 ** 31 + 2;
const ERR_INVALID = 2 ** 31 + 3;
const ERR_TLS_REQD = 2 ** 31 + 5;
const ERR_UNKNOWN = 2 ** 31 + 6;
const [EPERM, EIO, EINVAL] = [1, 5, 22];

async function opened() {
  const archive = await packed({ "a.raw": RAW, "folder/b.core": CORE });
  return served(archive);
}

describe("negotiation", () => {
  it("lists the images, tells of one, and refuses what it does not know", async () => {
    const { socketPath } = await opened();
    const client = await NbdClient.open(socketPath);
    const names = (await client.option(3)).slice(0, -1);
    expect(names.map(({ data }) => data.toString("utf8", 4))).toEqual(["a.raw", "folder/b.core"]);
    const asked = Buffer.concat([text("a.raw"), Buffer.from([0, 2, 0, 1, 0, 3])]);
    const [details, name, sizes, ack] = await client.option(6, asked);
    expect(details.data.readBigUInt64BE(2)).toBe(BigInt(RAW.length));
    // HAS_FLAGS, READ_ONLY, SEND_FLUSH, CAN_MULTI_CONN, SEND_CACHE
    expect(details.data.readUInt16BE(10)).toBe(0b101_0000_0111);
    expect(name.data.toString("utf8", 2)).toBe("a.raw");
    expect([2, 6, 10].map((at) => sizes.data.readUInt32BE(at))).toEqual([1, 4096, 2 ** 25]);
    expect(ack.type).toBe(1);
    const types = async (option: number, data?: Buffer) =>
      (await client.option(option, data)).map(({ type }) => type);
    expect(await types(99)).toEqual([ERR_UNSUP]);
    expect(await types(5)).toEqual([ERR_POLICY]);
    expect(await types(3, Buffer.alloc(1))).toEqual([ERR_INVALID]);
    expect(await types(7, Buffer.concat([text("c"), Buffer.alloc(2)]))).toEqual([ERR_UNKNOWN]);
    // The empty name means the only image, and there are two.
    expect(await types(7, Buffer.concat([text(""), Buffer.alloc(2)]))).toEqual([ERR_UNKNOWN]);
    expect(await types(7, Buffer.concat([u32(5000), Buffer.alloc(20)]))).toEqual([ERR_INVALID]);
    expect(await types(10, Buffer.concat([text("a.raw"), u32(0)]))).toEqual([ERR_INVALID]);
    expect(await types(2)).toEqual([1]);
    await client.ended();
  });

  it("gives an image to those who know EXPORT_NAME only, with and without zeroes", async () => {
    const { socketPath } = await opened();
    for (const flags of [1, 3]) {
      const client = await NbdClient.open(socketPath, flags);
      client.send(1, Buffer.from("a.raw"));
      const answer = await client.take(flags === 1 ? 134 : 10);
      expect(answer.readBigUInt64BE(0)).toBe(BigInt(RAW.length));
      const { data } = await client.read(4000, 200);
      expect(data).toEqual(RAW.subarray(4000, 4200));
      client.close();
    }
    const client = await NbdClient.open(socketPath);
    client.send(1, Buffer.from("c.raw"));
    await client.ended();
  });

  it("drops who sets unknown flags, and is for its owner only", async () => {
    const { socketPath } = await opened();
    const client = await NbdClient.open(socketPath, 4);
    await client.ended();
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
  });

  it("asks for TLS and for a certificate of ours where it has one", async () => {
    const folder = temporaryFolder();
    const authority = newAuthority("ours");
    writeTlsFiles(folder, authority);
    const archive = await packed({ "a.raw": RAW });
    const { nbdUri } = await served(archive, { nbd: "127.0.0.1:0", tlsDirectory: folder });
    expect(nbdUri).toMatch(/^nbds:/);
    const { port } = new URL(nbdUri?.replace("nbds", "http") as string);
    const open = async () => {
      const socket = connect({ host: "127.0.0.1", port: Number(port) });
      await once(socket, "connect");
      const client = new NbdClient(socket);
      await client.take(18);
      socket.write(u32(3));
      return { client, socket };
    };
    const { client, socket } = await open();
    expect((await client.option(3))[0].type).toBe(ERR_TLS_REQD);
    expect((await client.option(5))[0].type).toBe(1);
    const own = authority.issue("client");
    const ca = authority.certPem;
    const upgrade = (cert: string, key: string): TLSSocket =>
      connectTls({ socket, ca, cert, key, servername: "localhost" });
    client.switchTo(upgrade(own.certPem, own.keyPem));
    await client.option(7, Buffer.concat([text(""), Buffer.alloc(2)]));
    expect((await client.read(5, 100_000)).data).toEqual(RAW.subarray(5, 100_005));
    client.close();

    const other = await open();
    await other.client.option(5);
    const stranger = newAuthority("theirs").issue("client");
    other.client.switchTo(
      connectTls({
        socket: other.socket,
        ca,
        cert: stranger.certPem,
        key: stranger.keyPem,
        servername: "localhost",
      }),
    );
    other.client.send(3);
    await other.client.ended();
  });
});

describe("transmission", () => {
  it.each([false, true])("gives every byte, structured replies: %s", async (isStructured) => {
    const { socketPath } = await opened();
    const random = seededRandom(3);
    for (const [name, bytes] of [["a.raw", RAW] as const, ["folder/b.core", CORE] as const]) {
      const client = await NbdClient.go(socketPath, name, isStructured);
      const whole = await client.read(0, bytes.length);
      expect(whole.data.equals(bytes)).toBe(true);
      for (let i = 0; i < 60; i++) {
        const offset = random.int(bytes.length);
        const length = 1 + random.int(Math.min(bytes.length - offset, 300_000));
        const { data, error } = await client.read(offset, length);
        expect(error).toBe(0);
        expect(data.equals(bytes.subarray(offset, offset + length))).toBe(true);
      }
      client.close();
    }
  });

  it("answers many requests of many clients at once", async () => {
    const { socketPath } = await opened();
    const clients = await Promise.all(
      [0, 1, 2, 3].map(() => NbdClient.go(socketPath, "a.raw", true)),
    );
    await Promise.all(
      clients.map(async (client, n) => {
        const random = seededRandom(10 + n);
        const asked = Array.from({ length: 100 }, (_, i) => {
          const offset = random.int(RAW.length - 100_000);
          return { offset, length: 1 + random.int(100_000), cookie: BigInt(i) };
        });
        for (const { offset, length, cookie } of asked) {
          client.request(0, offset, length, { cookie });
        }
        for (const { offset, length, cookie } of asked) {
          const reply = await client.reply(offset, length);
          expect(reply.cookie).toBe(cookie);
          expect(reply.data.equals(RAW.subarray(offset, offset + length))).toBe(true);
        }
        client.request(2, 0, 0);
        await client.ended();
      }),
    );
  });

  it.each([false, true])(
    "refuses with a code and goes on, structured: %s",
    async (isStructured) => {
      const { socketPath } = await opened();
      const client = await NbdClient.go(socketPath, "a.raw", isStructured);
      const errorOf = async (...words: Parameters<NbdClient["request"]>): Promise<number> => {
        client.request(...words);
        return (await client.reply()).error;
      };
      client.request(1, 0, 5000);
      client.socket.write(Buffer.alloc(5000, 1));
      expect((await client.reply()).error).toBe(EPERM);
      expect(await errorOf(4, 0, 4096)).toBe(EPERM);
      expect(await errorOf(6, 0, 4096)).toBe(EPERM);
      expect(await errorOf(0, RAW.length - 10, 11)).toBe(EINVAL);
      expect(await errorOf(0, 2n ** 64n - 1n, 1)).toBe(EINVAL);
      expect(await errorOf(0, 0, 0)).toBe(EINVAL);
      expect(await errorOf(0, 0, 10, { flags: 1 })).toBe(EINVAL);
      expect(await errorOf(8, 0, 10)).toBe(EINVAL);
      expect(await errorOf(3, 0, 0)).toBe(0);
      expect(await errorOf(5, 0, 1 << 20)).toBe(0);
      if (!isStructured) expect(await errorOf(7, 0, 4096)).toBe(EINVAL);
      expect((await client.read(0, 10)).data).toEqual(RAW.subarray(0, 10));
      client.socket.write(Buffer.alloc(28, 1));
      await client.ended();
    },
  );

  it("waits for the rest of a message while others go on", async () => {
    const { socketPath } = await opened();
    const slow = await NbdClient.go(socketPath, "a.raw");
    const request = Buffer.alloc(28);
    request.writeUInt32BE(0x25609513, 0);
    request.writeUInt32BE(100, 24);
    slow.socket.write(request.subarray(0, 10));
    const other = await NbdClient.go(socketPath, "a.raw");
    expect((await other.read(5, 10)).data).toEqual(RAW.subarray(5, 15));
    slow.socket.write(request.subarray(10));
    expect((await slow.reply(0, 100)).data).toEqual(RAW.subarray(0, 100));
  });

  it("knows where zeros are, and they are", async () => {
    const { socketPath } = await opened();
    for (const [name, bytes] of [["a.raw", RAW] as const, ["folder/b.core", CORE] as const]) {
      const client = await NbdClient.go(socketPath, name, true);
      let zeroBytes = 0;
      for (let at = 100; at < bytes.length; ) {
        client.request(7, at, bytes.length - at);
        for (const { byteLength, flags } of (await client.reply()).extents) {
          if (flags === 3) {
            expect(bytes.subarray(at, at + byteLength).every((byte) => byte === 0)).toBe(true);
            zeroBytes += byteLength;
            // Or qemu-img takes the rest of a sector for zero, too.
            if (at > 100) expect(at % 512).toBe(0);
          }
          at += byteLength;
        }
        expect(at).toBeLessThanOrEqual(bytes.length);
      }
      if (name === "a.raw") expect(zeroBytes).toBeGreaterThanOrEqual(600 * 4096);
      client.request(7, 0, bytes.length, { flags: 8 });
      expect((await client.reply()).extents).toHaveLength(1);
      client.close();
    }
  });

  it.each([false, true])("EIO for what is damaged, the rest is there: %s", async (isStructured) => {
    const bytes = noise(seededRandom(4), 1024);
    const archive = await packed({ "a.raw": bytes });
    const notices: string[] = [];
    const { socketPath } = await served(archive, { onNotice: (line) => notices.push(line) });
    // After it was opened: the file that is served changes under the server.
    damageMiddle(archive.path);
    const client = await NbdClient.go(socketPath, "a.raw", isStructured);
    let lost = 0;
    for (let at = 0; at < bytes.length; at += 1 << 16) {
      const { error, data } = await client.read(at, 1 << 16);
      if (error === 0) expect(data.equals(bytes.subarray(at, at + (1 << 16)))).toBe(true);
      else {
        expect(error).toBe(EIO);
        lost += 1 << 16;
      }
    }
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThanOrEqual(512 << 10);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toMatch(/A\.pfa: cluster \d+: wrong checksum$/);
  });
});
