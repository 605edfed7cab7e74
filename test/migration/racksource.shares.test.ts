// What of its slots a source has its target share: what others want, when it is emitted, and as
// long as the target keeps it.
import { describe, expect, it } from "vitest";
import { DIGEST_BYTES } from "../../src/core/page.ts";
import type { Scope, StoredSlot } from "../../src/dedup/scope.ts";
import { MACHINE_CLOCK } from "../../src/migration/adaptiverate.ts";
import { type RackGang, RackSource } from "../../src/migration/racksource.ts";
import { MemoryIndex } from "../../src/store/memoryindex.ts";
import { Claim } from "../../src/store/store.ts";
import { decodeShare } from "../../src/wire/rackheads.ts";
import type { SessionFrame } from "../../src/wire/sessionframe.ts";
import { openResources } from "../support/gang.ts";

const SLOT = { item: 4, isDeltas: false, isBase: false };

/** A source of which others want the pages of these handles; what it has shared. */
async function wanted(handles: number[], slots: Map<number, StoredSlot>, kept: () => number) {
  const shared: unknown[] = [];
  const gang: RackGang = {
    get firstKept() {
      return kept();
    },
    tell: (type, head) => {
      shared.push(...decodeShare({ type, head } as SessionFrame).slots);
    },
    answer: async () => undefined,
  };
  const released: number[] = [];
  const digests = new Uint8Array(handles.length * DIGEST_BYTES);
  const member = {
    ...(await new MemoryIndex().join("r", "host")),
    claim: async () => ({
      states: Uint8Array.of(Claim.STORED),
      wants: { digests, handles: Uint32Array.from(handles) },
    }),
    release: async (gone: Uint8Array) => void released.push(gone.length / DIGEST_BYTES),
  };
  const options = { member, digestKey: new Uint8Array(32), clock: MACHINE_CLOCK };
  const rack = new RackSource(await openResources(1), options, gang);
  const scope = { slotOf: (entry: number) => slots.get(entry), isNamed: (e: number) => e === 99 };
  rack.attach(scope as unknown as Scope);
  await rack.claim(new Uint8Array(DIGEST_BYTES), new Uint32Array(1));
  await new Promise((resolve) => setImmediate(resolve));
  return { rack, shared, released };
}

describe("what others want of a source", () => {
  it("is shared, at once or when it is emitted", async () => {
    const slots = new Map([[1, { cluster: 7, ...SLOT }]]);
    const { rack, shared, released } = await wanted([1, 2], slots, () => 7);
    expect(shared).toEqual([[7, 4]]);
    slots.set(2, { cluster: 8, ...SLOT });
    rack.emitted();
    rack.emitted();
    await new Promise((resolve) => setImmediate(resolve));
    expect(shared).toEqual([
      [7, 4],
      [8, 4],
    ]);
    expect(released).toEqual([]);
    await rack.close();
    rack.end();
  });

  it("is released when it went by name itself, or was dropped", async () => {
    const slots = new Map([[1, { cluster: 7, ...SLOT }]]);
    const { rack, shared, released } = await wanted([99, 1], slots, () => 8);
    expect(shared).toEqual([]);
    expect(released).toEqual([2]);
    await rack.close();
    rack.end();
  });

  it("is not shared when it is dropped before that is said", async () => {
    const slots = new Map([1, 2].map((entry) => [entry, { cluster: entry, ...SLOT }]));
    let calls = 0;
    const { rack, shared } = await wanted([1, 2], slots, () => (calls++ < 2 ? 1 : 2));
    expect(shared).toEqual([[2, 4]]);
    await rack.close();
    rack.end();
  });
});
