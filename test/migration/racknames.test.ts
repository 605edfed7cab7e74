// The source's end of a rack over indexes that answer, are slow, fail, or never answer, in virtual
// time.
import { describe, expect, it } from "vitest";
import { PagefoldError } from "../../src/core/errors.ts";
import { RackNames } from "../../src/migration/racknames.ts";
import { MemoryIndex } from "../../src/store/memoryindex.ts";
import { Claim, type ClaimAnswer, type IndexMember, type Wants } from "../../src/store/store.ts";
import { VirtualClock } from "../support/virtualclock.ts";

const NO_WANTS: Wants = { digests: new Uint8Array(), handles: new Uint32Array() };

/** A digest of 32 equal bytes. */
const digest = (n: number) => new Uint8Array(32).fill(n);
const digests = (...numbers: number[]) => Uint8Array.from(numbers.flatMap((n) => [...digest(n)]));
const handles = (...numbers: number[]) => Uint32Array.from(numbers);

/** A member whose calls do what a test says; anything else is never answered. */
class ScriptedMember implements IndexMember {
  readonly token = 1;
  readonly calls: string[] = [];
  onClaim: (count: number) => Promise<ClaimAnswer> = async (count) => answer(count);
  onWants: () => Promise<Wants> = async () => NO_WANTS;
  onOther: () => Promise<void> = async () => {};

  claim(_: Uint8Array, { length }: Uint32Array) {
    this.calls.push(`claim ${length}`);
    return this.onClaim(length);
  }
  wants() {
    this.calls.push("wants");
    return this.onWants();
  }
  stored = (all: Uint8Array) => this.other("stored", all);
  takeOver = (all: Uint8Array) => this.other("takeOver", all);
  release = (all: Uint8Array) => this.other("release", all);
  leave = () => this.other("leave", digest(0));

  private other(name: string, all: Uint8Array): Promise<void> {
    const firsts = Array.from({ length: all.length / 32 }, (_, i) => all[i * 32]);
    this.calls.push(`${name} ${firsts}`);
    return this.onOther();
  }
}

function answer(count: number, state: Claim = Claim.OURS, wants = NO_WANTS): ClaimAnswer {
  return { states: new Uint8Array(count).fill(state), wants };
}

function never<T>(): Promise<T> {
  return new Promise(() => {});
}

function made({ member = new ScriptedMember() as IndexMember, heldPages = 100 } = {}) {
  const clock = new VirtualClock();
  const said: string[] = [];
  const gone = new Set<number>();
  const names = new RackNames({
    member,
    clock,
    heldPages,
    session: {
      store: (of, handle) => {
        said.push(`store ${of[0]} ${handle}`);
        return !gone.has(handle);
      },
      answer: (numbers) => said.push(`answer ${numbers}`),
      notice: (message) => said.push(message),
    },
  });
  return { clock, names, said, gone, member: member as ScriptedMember };
}

/** Fails after so long as an index would that nobody reaches. */
function refusing(clock: VirtualClock, ms: number) {
  return async <T>(): Promise<T> => {
    await clock.sleep(ms);
    throw new PagefoldError("CONNECTION", "nobody listens there");
  };
}

describe("rack names: claims", () => {
  it("names what others send or the rack has, and numbers the names", async () => {
    const index = new MemoryIndex();
    const [one, two] = [await index.join("rack", "a"), await index.join("rack", "b")];
    await one.claim(digests(1, 2), handles(1, 2));
    await one.stored(digest(2));
    const { clock, names } = made({ member: two, heldPages: 2 });
    const claimed = await clock.run(names.claim(digests(1, 2, 3), handles(7, 8, 9)));
    expect([...claimed]).toEqual([1, 1, 0]);
    expect([names.hold(digest(1), 7), names.hold(digest(2), 8)]).toEqual([0, 1]);
    expect(names.hold(digest(4), 9)).toBeUndefined();
    names.resolved([0]);
    expect(names.hold(digest(4), 9)).toBe(2);
    expect(names.counts).toMatchObject({ asked: 3, named: 3, repeated: 1 });
    await clock.run(names.close());
    expect((await index.status()).members).toHaveLength(1);
    expect(clock.waiting).toBe(0);
  });

  it("answers in the order of the calls", async () => {
    const { clock, names, member } = made();
    const waits = [200, 0, 100];
    member.onClaim = async (count) => {
      await clock.sleep(waits[count - 1]);
      return answer(count, Claim.CLAIMED);
    };
    const order: number[] = [];
    const all = [1, 2, 3].map(async (count) => {
      const states = await names.claim(new Uint8Array(count * 32), new Uint32Array(count));
      order.push(count);
      expect([...states]).toEqual(Array(count).fill(1));
      expect(clock.now()).toBe(200);
    });
    await clock.run(Promise.all(all));
    expect(order).toEqual([1, 2, 3]);
    await clock.run(names.close());
  });

  it("has content sent for what is not answered within 500 ms, and keeps late wants", async () => {
    const { clock, names, member, said } = made();
    member.onClaim = async (count) => {
      await clock.sleep(1000);
      const wants = { digests: digest(5), handles: handles(50) };
      return answer(count, Claim.CLAIMED, wants);
    };
    expect([...(await clock.run(names.claim(digests(1, 2), handles(1, 2))))]).toEqual([0, 0]);
    expect(clock.now()).toBe(500);
    expect(said).toEqual([]);
    await clock.pass(1000);
    expect(said).toEqual(["store 5 50"]);
    expect(names.counts).toMatchObject({ timeouts: 1, repeated: 2, wanted: 1 });
    await clock.run(names.close());
  });

  it.each([
    ["never answers", () => never<never>(), 500, "no answer in 500 ms"],
    ["fails", undefined, 3, "nobody listens there"],
  ])("leaves alone an index that %s, and asks it again after 5 s", async (_, call, ms, reason) => {
    const { clock, names, member, said } = made();
    member.onClaim = call ?? refusing(clock, 3);
    for (let i = 1; i <= 5; i++) {
      expect([...(await clock.run(names.claim(digest(1), handles(1))))]).toEqual([0]);
      expect(clock.now()).toBe(Math.min(i, 3) * ms);
    }
    expect(member.calls).toEqual(Array(3).fill("claim 1"));
    expect(said).toEqual([`rack index: ${reason}; hosts send again what others have sent`]);
    await clock.pass(5000);
    // One call probes, and as long as it does no other is made.
    const probe = names.claim(digest(1), handles(1));
    const other = names.claim(digests(1, 2), handles(1, 2));
    await clock.run(Promise.all([probe, other]));
    expect(member.calls.slice(3)).toEqual(["claim 1"]);
    await clock.pass(5000);
    member.onClaim = async (count) => answer(count, Claim.STORED);
    expect([...(await clock.run(names.claim(digest(1), handles(1))))]).toEqual([1]);
    expect([...(await clock.run(names.claim(digest(1), handles(1))))]).toEqual([1]);
    expect(said).toHaveLength(1);
    await clock.run(names.close());
    expect(clock.waiting).toBe(0);
  });

  it("takes calls that fail together for one failure", async () => {
    const { clock, names, member, said } = made();
    member.onClaim = never;
    const claim = () => names.claim(digest(1), handles(1));
    await clock.run(Promise.all(Array.from({ length: 8 }, claim)));
    member.onClaim = async (count) => answer(count, Claim.CLAIMED);
    expect([...(await clock.run(claim()))]).toEqual([1]);
    expect(said).toEqual([]);
    await clock.run(names.close());
  });

  it("does not name what an index answers that makes no sense", async () => {
    const { clock, names, member } = made();
    member.onClaim = async () => ({ states: Uint8Array.of(9, 0), wants: NO_WANTS });
    const claimed = names.claim(digests(1, 2, 3), handles(1, 2, 3));
    expect([...(await clock.run(claimed))]).toEqual([0, 0, 0]);
    await clock.run(names.close());
  });
});

describe("rack names: names", () => {
  it("answers what is missing in the order given, and takes it over", () => {
    const { names, said, member } = made();
    for (let n = 0; n < 4; n++) names.hold(digest(n), n);
    names.missing([2, 0]);
    expect(said).toEqual(["answer 2,0"]);
    expect(member.calls).toEqual(["takeOver 2,0"]);
    names.resolved([0, 1, 2, 3]);
    expect(names.counts).toMatchObject({ named: 4, answered: 2 });
    void names.close();
  });

  it("refuses numbers that stand for nothing", () => {
    const { names } = made();
    names.hold(digest(1), 1);
    expect(() => names.resolved([1])).toThrow("name 1 stands for nothing");
    expect(() => names.missing([7])).toThrow("name 7 stands for nothing");
    names.missing([0]);
    expect(() => names.missing([0])).toThrow("name 0 is missing twice");
    names.resolved([0]);
    expect(() => names.resolved([0])).toThrow(PagefoldError);
    void names.close();
  });

  it("names nothing for a while when the target does not find what is named", async () => {
    const { clock, names, said } = made({ heldPages: 10_000 });
    const hold = () => names.hold(digest(1), 1);
    const all = Array.from({ length: 600 }, () => hold() as number);
    names.resolved(all.slice(0, 200));
    names.missing(all.slice(200));
    const notice = said.filter((line) => line.startsWith("rack"));
    expect(notice).toEqual([
      "rack store: the target finds few pages there; hosts send again what others have sent",
    ]);
    // That they are resolved by their answers says nothing for the store.
    names.resolved(all.slice(200));
    expect(hold()).toBeUndefined();
    await clock.pass(5000);
    expect(hold()).toBe(600);
    void names.close();
  });
});

describe("rack names: wants", () => {
  it("looks for wants every 25 ms while pages flow, and every 500 ms later", async () => {
    const { clock, names, member } = made();
    await clock.pass(1000);
    expect(member.calls).toEqual([]);
    await clock.run(names.claim(digest(1), handles(1)));
    await clock.pass(300);
    const busy = member.calls.filter((call) => call === "wants").length;
    expect(busy).toBeGreaterThanOrEqual(11);
    await clock.pass(2700);
    member.calls.length = 0;
    await clock.pass(10_000);
    expect(member.calls).toHaveLength(20);
    // Pages flow again.
    await clock.run(names.claim(digest(1), handles(1)));
    member.calls.length = 0;
    await clock.pass(101);
    expect(member.calls.length).toBeGreaterThanOrEqual(4);
    await clock.run(names.close());
    expect(clock.waiting).toBe(0);
  });

  it("has them stored, and releases what is gone", async () => {
    const { clock, names, member, said, gone } = made();
    gone.add(30);
    let wants: Wants = { digests: digests(2, 3, 4), handles: handles(20, 30, 40) };
    member.onWants = async () => {
      const taken = wants;
      wants = NO_WANTS;
      return taken;
    };
    await clock.run(names.claim(digest(1), handles(1)));
    await clock.pass(30);
    expect(said).toEqual(["store 2 20", "store 3 30", "store 4 40"]);
    expect(member.calls).toContain("release 3");
    names.stored(digests(2, 4));
    expect(member.calls.at(-1)).toBe("stored 2,4");
    await clock.run(names.close());
    expect(member.calls.at(-1)).toBe("leave 0");
  });

  it("waits for a slow store before it has more stored, and not for a dead one", async () => {
    const { clock, names, member, said } = made();
    const count = 2000;
    const wants = { digests: new Uint8Array(count * 32), handles: new Uint32Array(count) };
    member.onClaim = async (asked) => answer(asked, Claim.OURS, wants);
    await clock.run(names.claim(digest(1), handles(1)));
    expect(said).toHaveLength(1024);
    names.stored(new Uint8Array(100 * 32));
    expect(said).toHaveLength(1124);
    await clock.pass(1100);
    expect(said).toHaveLength(2000);
    await clock.run(names.close());
  });
});

describe("rack names: the end", () => {
  it("ends whatever is under way", async () => {
    const { clock, names, member } = made();
    member.onClaim = never;
    member.onOther = never;
    const claim = names.claim(digest(1), handles(1));
    names.hold(digest(1), 1);
    names.missing([0]);
    await clock.run(names.close());
    expect([...(await claim)]).toEqual([0]);
    expect([...(await names.claim(digest(1), handles(1)))]).toEqual([0]);
    expect(names.hold(digest(1), 1)).toBeUndefined();
    names.resolved([5]);
    names.missing([5]);
    names.stored(digest(1));
    await names.close();
    expect(clock.waiting).toBe(0);
    expect(clock.now()).toBeLessThanOrEqual(500);
  });
});
