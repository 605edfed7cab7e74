// What a tunnel makes of the index and the store that its options name: which addresses it takes,
// and that it goes on, with one line, where either cannot be had.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PagefoldError } from "../../src/core/errors.ts";
import { checkRack, SourceRack, TargetRack } from "../../src/service/racks.ts";
import { MemoryIndex } from "../../src/store/memoryindex.ts";
import { MemoryPages } from "../../src/store/memorypages.ts";

const SECRET = new Uint8Array(32).fill(4);
let notices: string[];
const onNotice = (message: string): void => void notices.push(message);
const options = { address: "unix:/x", guests: [], onNotice };
beforeEach(() => {
  notices = [];
  vi.stubEnv("REDISCLI_AUTH", undefined);
});
afterEach(() => void vi.unstubAllEnvs());

describe("the address of a rack", () => {
  it.each(["redis://10.0.0.9", "rediss://10.0.0.9", "redis://[fe80::1]:7000/2", "redis://box"])(
    "%s needs a password",
    (url) => {
      const check = (more = {}) => checkRack("--rack-index", url, { ...options, ...more });
      expect(() => check()).toThrow(/^--rack-index .+: refused without a password/);
      expect(() => check({ insecure: true })).not.toThrow();
      vi.stubEnv("REDISCLI_AUTH", "p");
      expect(() => check()).not.toThrow();
    },
  );

  it("is not shown with its password, and needs none on this machine", () => {
    const check = (url: unknown) => checkRack("--rack-store", url, options);
    for (const url of ["redis://:pw@10.0.0.9", "redis://127.0.0.1:7", "redis+unix:///run/r.sock"]) {
      expect(() => check(url)).not.toThrow();
    }
    for (const own of [undefined, new MemoryPages()]) expect(() => check(own)).not.toThrow();
    for (const url of ["http://x", "10.0.0.9", "redis://:pw@10.0.0.9/x"]) {
      expect(() => check(url)).toThrow(PagefoldError);
      expect(() => check(url)).not.toThrow(/pw/);
    }
  });
});

describe("the rack of a source", () => {
  it("is joined anew for each session, with keys of its secret", async () => {
    const index = new MemoryIndex();
    const rack = new SourceRack(index, SECRET, options);
    const one = await rack.join("r");
    const other = await rack.join("r");
    expect(other?.member.token).toBeGreaterThan(one?.member.token ?? Number.NaN);
    expect(one?.digestKey).toEqual(other?.digestKey);
    expect(Buffer.from(one?.digestKey ?? SECRET).equals(SECRET)).toBe(false);
    const found = await new TargetRack(new MemoryPages(), options).find(rack.secret);
    expect(found?.digestKey).toEqual(one?.digestKey);
    const scoped = new SourceRack(index, SECRET, { ...options, scope: "another" });
    expect((await scoped.join("r"))?.digestKey).not.toEqual(one?.digestKey);
    await rack.close();
    expect(notices).toEqual([]);
  });

  it("is done without where the target has none, or nobody answers", async () => {
    const index = new MemoryIndex();
    expect(await new SourceRack(index, undefined, options).join("")).toBe(undefined);
    expect(notices.splice(0)).toEqual([
      "the target has no rack's store: pages go as if this host were alone",
    ]);
    index.join = () => Promise.reject(new PagefoldError("CONNECTION", "it is gone"));
    expect(await new SourceRack(index, undefined, options).join("r")).toBe(undefined);
    const rack = new SourceRack("redis://:pw@127.0.0.1:1", undefined, options);
    expect(await rack.join("r")).toBe(undefined);
    await rack.close();
    expect(notices.length).toBe(2);
    for (const line of notices) {
      expect(line).toMatch(/^rack index: [^\n]+: pages go as if this host were alone$/);
      expect(line).not.toMatch(/pw/);
    }
  });
});

describe("the rack of a target", () => {
  it("says when what is shared can be read on the network", async () => {
    const none = new Uint8Array(0);
    const linesOf = async (store: string, secret: Uint8Array): Promise<string[]> => {
      await new TargetRack(store, options).find(secret);
      return notices.splice(0).filter((line) => !line.endsWith("as if this host were alone"));
    };
    expect(await linesOf("redis://:pw@no.such.host.invalid", none)).toEqual([
      "rack store: without TLS, and without --rack-key at the source, whoever listens on the " +
        "network can read the pages that hosts share",
    ]);
    expect(await linesOf("redis://:pw@no.such.host.invalid", SECRET)).toEqual([]);
    expect(await linesOf("rediss://:pw@no.such.host.invalid", none)).toEqual([]);
    expect(await linesOf("redis://:pw@127.0.0.1:1", none)).toEqual([]);
  });

  it("is done without where nobody answers", async () => {
    const store = new MemoryPages();
    store.rack = () => Promise.reject(new PagefoldError("CONNECTION", "it is gone"));
    expect(await new TargetRack(store, options).find(SECRET)).toBe(undefined);
    const rack = new TargetRack("redis://:pw@127.0.0.1:1", options);
    expect(await rack.find(SECRET)).toBe(undefined);
    expect(notices.length).toBe(2);
    for (const line of notices) {
      expect(line).toMatch(/^rack store: [^\n]+: pages go as if this host were alone$/);
      expect(line).not.toMatch(/pw/);
    }
  });
});
