// Gangs of guests at work move through the tunnel: unmodified QEMUs, their RAM compared page by
// page, and alive afterwards. And what is refused, cancelled or missing harms nobody.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Gang, WORKLOADS } from "../../scripts/vm/gang.ts";
import type { Guest } from "../../scripts/vm/guest.ts";
import type { Move } from "../../scripts/vm/move.ts";
import { untilSent } from "../../scripts/vm/querymigrate.ts";
import { configure } from "../../scripts/vm/setting.ts";
import { PAGEFOLD, TunnelEnd } from "../../scripts/vm/tunnel.ts";
import { newAuthority, writeTlsFiles } from "../support/certificates.ts";
import {
  expectSaneReports,
  LIMIT_MS,
  leftBehind,
  moveRest,
  moveThrough,
  tunnel,
  untilRunning,
  withMove,
} from "./tunnelmoves.ts";

const NONE_DIFFER = WORKLOADS.map(() => 0);
const CHURN = WORKLOADS.indexOf("churn");
const NGINX = WORKLOADS.indexOf("nginx");
const IDLE = WORKLOADS.indexOf("idle");
const folder = mkdtempSync(join(tmpdir(), "pagefold-tls-"));
let gang: Gang;

beforeAll(async () => {
  gang = await Gang.boot({ workloads: WORKLOADS, memoryMiB: 160, mbit: 1000 });
  const authority = newAuthority("ca");
  const names = gang.link.hosts.map(({ address }) => address);
  writeTlsFiles(folder, authority, {
    server: authority.issue("server", { names, usage: "server" }),
  });
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await gang?.close();
});

/** The events of QEMU that say how far the migration of a guest came. */
function statesOf({ qmp }: Guest): unknown[] {
  return qmp.events.filter(({ name }) => name === "MIGRATION").map(({ data }) => data.status);
}

describe("a gang that moves through the tunnel", () => {
  it("arrives with the same RAM: TLS, a fixed level, one guest with XBZRLE", async () => {
    const words = ["--tls-dir", folder];
    const sourceWords = ["--level", "fast"];
    const xbzrle = { capabilities: ["return-path", "xbzrle"] };
    const { move, report } = await moveThrough(
      gang,
      { via: tunnel({ words, sourceWords }), arrival: "stays paused" },
      {
        async prepared({ sources, targets }) {
          for (const guest of [sources[CHURN], targets[CHURN]]) await configure(guest, xbzrle);
        },
        async settled({ sources }) {
          type Answer = { "xbzrle-cache"?: { pages: number } };
          const { "xbzrle-cache": sent } =
            await sources[CHURN].qmp.execute<Answer>("query-migrate");
          expect(sent?.pages).toBeGreaterThan(0);
        },
      },
    );
    expect(report.differing).toEqual(NONE_DIFFER);
    expectSaneReports(move, report);
    expect(leftBehind(move)).toEqual([]);
    await gang.expectAlive();
  });

  it("starts at the target by itself, the level as the link leaves time", async () => {
    const { move, report } = await moveThrough(gang, { via: tunnel() });
    expect(report.downtimesMs).toHaveLength(WORKLOADS.length);
    for (const downtimeMs of report.downtimesMs) expect(downtimeMs).toBeGreaterThan(0);
    expectSaneReports(move, report);
    expect(leftBehind(move)).toEqual([]);
    await gang.expectAlive();
  });

  for (const arrival of ["stays paused", "starts"] as const) {
    const title = arrival === "starts" ? "lives through post-copy" : "has the same RAM after it";
    it(`post-copy: ${title}`, async () => {
      const parameters = { "downtime-limit": 1 };
      const options = { via: tunnel(), arrival, postCopyAfterRounds: 1, parameters };
      const { move, report } = await moveThrough(gang, options);
      if (arrival === "stays paused") expect(report.differing).toEqual(NONE_DIFFER);
      // Others may have been done when they were told to.
      expect(statesOf(move.sources[CHURN])).toContain("postcopy-active");
      expect(leftBehind(move)).toEqual([]);
      await gang.expectAlive();
    });
  }
});

describe("a gang of which the tunnel cannot take all", () => {
  /** These guests go on at the source, and both ends of the tunnel say so and end. */
  async function expectRefusal(move: Move, guests: readonly Guest[], words = ""): Promise<void> {
    const { tunnel: ends } = move;
    for (const guest of guests) await untilRunning(guest);
    for (const end of [ends?.source, ends?.target]) {
      expect([await end?.ended(LIMIT_MS), end?.complaint]).toEqual([1, expect.any(String)]);
      for (const { name } of guests) expect(end?.stderr).toMatch(`${name}: `);
    }
    const lines = ends?.source.stderr.split("\n") ?? [];
    for (const { name } of guests) {
      const line = lines.find((one) => one.startsWith(`pagefold: ${name}: `));
      expect(line).toContain(words);
    }
    expect(lines).toContain(`pagefold: not migrated: ${guests.map(({ name }) => name).join(", ")}`);
    expect(leftBehind(move)).toEqual([]);
  }

  /** Orders all to migrate, and expects that all are refused with these words and go on. */
  async function expectRefused(move: Move, capabilities: readonly string[], words: string) {
    for (const source of move.sources) await configure(source, { capabilities });
    await move.begin();
    const outcomes = await move.settled(LIMIT_MS);
    expect(outcomes.map(({ status }) => status)).toEqual(move.sources.map(() => "failed"));
    await expectRefusal(move, move.sources, words);
  }

  it("refuses guests without return-path by name, and takes them when it is on", async () => {
    await withMove(gang, { via: tunnel() }, async (move) => {
      await expectRefused(move, [], "capability return-path");
      expect(await moveRest(gang, move, move.sources)).toEqual(NONE_DIFFER);
    });
    await gang.expectAlive();
  });

  it("moves those that can: one is cancelled, the QEMU of another is not there", async () => {
    await withMove(gang, { via: tunnel() }, async (move) => {
      const cancelled = move.sources[NGINX];
      const lonely = move.sources[IDLE];
      await move.targets[IDLE].kill();
      rmSync(join(lonely.options.folder, `${move.targets[IDLE].fileName}.in`));
      await slowDown(cancelled);
      await move.begin();
      await untilSent(cancelled, 8 << 20);
      await cancelled.qmp.execute("migrate_cancel");
      const outcomes = await move.settled(LIMIT_MS);
      expect(outcomes.map(({ status }) => status)).toEqual(
        WORKLOADS.map((_, i) => (i === NGINX ? "cancelled" : i === IDLE ? "failed" : "completed")),
      );
      await expectRefusal(move, [cancelled, lonely]);
      const places = WORKLOADS.map((_, i) => (i === NGINX || i === IDLE ? "source" : "target"));
      expect(await move.running()).toEqual(places.map((place) => [place]));
      expect(await moveRest(gang, move, [cancelled, lonely])).toEqual([0, 0]);
    });
    await gang.expectAlive();
  });

  it("takes a guest again that was cancelled, when it serves on", async () => {
    const via = tunnel({ words: ["--insecure", "--persistent"] });
    await withMove(gang, { via }, async (move) => {
      const source = move.sources[NGINX];
      await slowDown(source);
      await move.begin();
      await untilSent(source, 8 << 20);
      await source.qmp.execute("migrate_cancel");
      await move.settled(LIMIT_MS);
      await untilRunning(source);
      expect(await move.retry(NGINX, LIMIT_MS)).toMatchObject({ status: "completed" });
      for (const target of move.targets) await untilRunning(target);
      for (const end of [move.tunnel?.source, move.tunnel?.target]) {
        end?.kill("SIGTERM");
        expect(await end?.ended(LIMIT_MS)).toBe(143);
      }
      expect(leftBehind(move)).toEqual([]);
      expect(await move.running()).toEqual(WORKLOADS.map(() => ["target"]));
      await Promise.all(move.sources.map((guest) => guest.close()));
      gang.moved(move.targets);
    });
    await gang.expectAlive();
  });

  it("does not begin when the target expects no guest of that name", async () => {
    const { a, b } = gang.link;
    const socket = (name: string) => `unix:${join(folder, name)}`;
    const end = (name: string, ...words: string[]) =>
      new TunnelEnd(name, name === "source" ? a : b, [...PAGEFOLD, "tunnel", name, ...words]);
    const address = `${b.address}:7700`;
    const target = end("target", "--listen", address, "--insecure", "--vm", `web=${socket("in")}`);
    await target.ready(() => target.stderr.includes("waiting at"));
    const source = end("source", "--connect", address, "--insecure", "--vm", `db=${socket("out")}`);
    expect(await source.ended(LIMIT_MS)).toBe(1);
    expect(source.stderr).toContain('no guest "db" is expected here');
    expect(await target.ended(LIMIT_MS)).toBe(1);
    expect(target.stderr).toContain('no guest "db" is expected here');
    expect(existsSync(join(folder, "out"))).toBe(false);
  });

  // Last, because QEMU 7.2 may not migrate again after multifd has failed.
  it("refuses multifd by name", async () => {
    await withMove(gang, { via: tunnel() }, async (move) => {
      await expectRefused(move, ["return-path", "multifd"], "capability multifd");
      await Promise.all(move.targets.map((target) => target.close()));
    });
    await gang.expectAlive();
  });
});

/** Leaves time to do something in the middle. */
async function slowDown({ qmp }: Guest): Promise<void> {
  await qmp.execute("migrate-set-parameters", { "max-bandwidth": 16 << 20 });
}
