// The monitor's client against a server that splits lines, mixes events in, is silent, or dies.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { openQmp, type Qmp, type QmpEvent } from "../../src/qemu/qmp.ts";
import { temporaryFolder } from "../support/folder.ts";
import { QmpServer, type Request } from "../support/qmpserver.ts";

type Answer = (request: Request, server: QmpServer) => string | undefined;

async function serve(answer: Answer, greeting?: string): Promise<QmpServer> {
  const server = await QmpServer.open(temporaryFolder(), answer, greeting);
  onTestFinished(() => server.close());
  return server;
}

async function connect(answer: Answer): Promise<{ qmp: Qmp; server: QmpServer }> {
  const server = await serve(answer);
  const qmp = await openQmp(server.path, { timeoutMs: 5000 });
  onTestFinished(() => qmp.close());
  return { qmp, server };
}

const reply = (id: number, value: unknown) => `${JSON.stringify({ return: value, id })}\r\n`;
const echo: Answer = ({ id, arguments: args }) => reply(id, args ?? {});

describe("qmp: commands", () => {
  it("gives the answer of each command to who asked, whatever comes in between", async () => {
    const { qmp, server } = await connect(({ id, arguments: args }, { path }) => {
      expect(path).toBeTruthy();
      const event = JSON.stringify({ event: "RESUME", data: {}, timestamp: { seconds: 1 } });
      return `${event}\r\n${reply(id, args)}`;
    });
    const answers = [0, 1, 2, 3].map((n) => qmp.execute<{ n: number }>("echo", { n }));
    expect(await Promise.all(answers)).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }, { n: 3 }]);
    expect(server.requests[0]).toMatchObject({ execute: "echo", arguments: { n: 0 } });
    expect(qmp.events.map(({ name, number }) => [name, number])).toEqual(
      [0, 1, 2, 3].map((n) => ["RESUME", n]),
    );
  });

  it("puts lines together that come in single bytes", async () => {
    const { qmp, server } = await connect(() => undefined);
    const answer = qmp.execute("query-name");
    while (server.requests.length === 0) await sleep(1);
    for (const byte of Buffer.from(reply(server.requests[0].id, { name: "wéb ✓" }))) {
      server.say(Uint8Array.of(byte));
      await sleep(0);
    }
    expect(await answer).toEqual({ name: "wéb ✓" });
  });

  it("names the command and says what QEMU says", async () => {
    const { qmp, server } = await connect(
      ({ id }) =>
        `${JSON.stringify({ error: { class: "GenericError", desc: "No such device" }, id })}\r\n`,
    );
    await expect(qmp.execute("device_del", { id: "x" })).rejects.toMatchObject({
      name: "PagefoldError",
      code: "CONNECTION",
      message: `${server.path}: device_del: No such device`,
    });
  });

  it("gives up after the time that was given, and takes later answers for nobody's", async () => {
    const { qmp, server } = await connect((request, it) =>
      request.execute === "slow" ? undefined : echo(request, it),
    );
    await expect(qmp.execute("slow", {}, { timeoutMs: 20 })).rejects.toThrow(
      "slow: nothing in 20 ms",
    );
    server.say(reply(server.requests[0].id, "late"));
    expect(await qmp.execute("echo", { a: 1 })).toEqual({ a: 1 });
  });

  it("can be aborted", async () => {
    const { qmp } = await connect(() => undefined);
    const abort = new AbortController();
    const answer = qmp.execute("stop", undefined, { signal: abort.signal });
    abort.abort(new Error("enough"));
    await expect(answer).rejects.toThrow("enough");
    await expect(qmp.execute("stop", undefined, { signal: abort.signal })).rejects.toThrow(
      "enough",
    );
  });

  it("rejects what waits when the monitor closes, and what is asked after", async () => {
    const { qmp, server } = await connect((_, it) => void it.hangUp());
    const event = qmp.event("STOP");
    await expect(qmp.execute("quit")).rejects.toThrow(`${server.path}: QEMU closed the monitor`);
    await expect(event).rejects.toThrow("(event STOP)");
    await expect(qmp.execute("cont")).rejects.toThrow("cont: the monitor is closed");
  });

  it("closes on what is not QMP", async () => {
    const { qmp } = await connect(() => "Escape character is '^]'.\r\n");
    await expect(qmp.execute("stop")).rejects.toThrow(
      "not QMP: a line is no JSON object, \"Escape character is '^]'.\"",
    );
  });
});

describe("qmp: events", () => {
  it("finds past and coming ones, by name or by content, with QEMU's time", async () => {
    const { qmp, server } = await connect(echo);
    const seen: QmpEvent[] = [];
    const end = qmp.onEvent((event) => seen.push(event));
    server.event("MIGRATION", { status: "setup" });
    expect(await qmp.event("MIGRATION")).toEqual({
      name: "MIGRATION",
      data: { status: "setup" },
      timeMs: 1_700_000_000_250,
      number: 0,
    });
    const completed = qmp.event(({ data }) => data.status === "completed", { timeoutMs: 5000 });
    const next = qmp.event("MIGRATION", { after: 0 });
    server.event("MIGRATION", { status: "active" });
    server.event("MIGRATION", { status: "completed" });
    expect((await completed).number).toBe(2);
    expect((await next).data).toEqual({ status: "active" });
    end();
    server.event("STOP");
    await qmp.event("STOP");
    expect(seen.map(({ data }) => data.status)).toEqual(["setup", "active", "completed"]);
  });

  it("says which one did not come", async () => {
    const { qmp } = await connect(echo);
    await expect(qmp.event("RESUME", { timeoutMs: 10 })).rejects.toThrow(
      "event RESUME: nothing in 10 ms",
    );
  });

  it("keeps the latest of them", async () => {
    const { qmp, server } = await connect(echo);
    for (let i = 0; i < 3000; i++) server.event("RTC_CHANGE", { offset: i });
    await qmp.event(({ number }) => number === 2999);
    expect(qmp.events.length).toBeLessThanOrEqual(2048);
    expect(qmp.events.at(-1)?.data).toEqual({ offset: 2999 });
  });
});

describe("qmp: opening", () => {
  it.each<[string, (folder: string) => string, string]>([
    ["nothing", (folder) => join(folder, "none"), "no such file or directory"],
    [
      "a file",
      (folder) => {
        writeFileSync(join(folder, "file"), "");
        return join(folder, "file");
      },
      "ECONNREFUSED",
    ],
  ])("says that there is %s", async (_, make, reason) => {
    const path = make(temporaryFolder());
    await expect(openQmp(path)).rejects.toMatchObject({ code: "CONNECTION" });
    await expect(openQmp(path)).rejects.toThrow(reason);
  });

  it("does not wait longer than wanted for a monitor that serves somebody else", async () => {
    const server = await serve(echo, "");
    await expect(openQmp(server.path, { timeoutMs: 20 })).rejects.toThrow(
      `${server.path}: greeting of a monitor, which serves one client at a time: nothing in 20 ms`,
    );
  });
});
