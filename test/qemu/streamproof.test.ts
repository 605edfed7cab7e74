// The proof of a stream: the same however it is cut and in which order frames are written, another
// one for every flaw.
import { describe, expect, it } from "vitest";
import { StreamFolder } from "../../src/qemu/folder.ts";
import { StreamProof } from "../../src/qemu/streamproof.ts";
import { StreamUnfolder } from "../../src/qemu/unfolder.ts";
import { type ProofRecord, proofOf as slowProofOf } from "../oracle/streamproof.ts";
import { passedBytes, proofOfSource } from "../support/deferred.ts";
import { foldAll } from "../support/qemufold.ts";
import { makeStream, StreamMaker } from "../support/qemustream.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("qemu/streamproof"));
const BLOCKS = [
  { name: "pc.ram", pages: 40 },
  { name: "pc.bios", pages: 40 },
];
const [OLD, NEW, PATCH] = [random.bytes(4096), random.bytes(4096), random.bytes(200)];
const DEVICE = random.bytes(50);

/** Steps that write records; whatever is named can be told apart from all else. */
type Write = (maker: StreamMaker) => unknown;
const page =
  (at: number, content = OLD, block = 0): Write =>
  (maker) =>
    maker.record("page", block, at, content);
const zero =
  (at: number): Write =>
  (maker) =>
    maker.record("zero", 0, at);
const patch =
  (at: number, content = PATCH): Write =>
  (maker) =>
    maker.record("xbzrle", 0, at, content);

function proofOf(writes: readonly Write[], device = DEVICE): bigint {
  const maker = new StreamMaker().magic().openReturnPath().startRam(BLOCKS).part(2);
  // So that records name their blocks alike.
  maker.record("page", 0, 39, OLD);
  for (const write of writes) write(maker);
  maker.endOfPart().footer().part(3).endOfPart().footer();
  maker.u8(4).be32(10).name("timer").be32(0).be32(1).raw(device).footer(10).u8(0).description();
  return proofOfSource(foldAll(maker.made().bytes, 16, () => 1 << 30).batches);
}

const WRITES = [page(1), page(2, NEW), page(3, NEW, 1), zero(4), patch(2), page(5)];

function flipped(bytes: Uint8Array, at = random.int(bytes.length)): Uint8Array {
  const copy = bytes.slice();
  copy[at] ^= 1 << random.int(8);
  return copy;
}

describe("stream proof", () => {
  it("is what the norm says", () => {
    const passed = passedBytes();
    const proof = new StreamProof("web", passed);
    const records: ProofRecord[] = [];
    for (let i = 0; i < 400; i++) {
      const block = random.int(2) * 4095;
      const at = random.int(8) === 0 ? random.int(2 ** 40) : random.int(40);
      const place = { block, page: at };
      const kind = random.int(4);
      if (kind === 0) {
        proof.zeros(block, at, 1);
        records.push({ kind: "zero", ...place });
      } else if (kind === 1) {
        const payload = random.bytes(random.int(9));
        proof.xbzrle(block, at, payload.length);
        const cut = random.int(payload.length + 1);
        proof.verbatim(payload, 0, cut);
        proof.verbatim(payload, cut, payload.length);
        records.push({ kind: "xbzrle", ...place, payload });
      } else {
        const none = random.int(4) === 0;
        const words = Uint32Array.of(
          none ? 0 : random.int(2 ** 32),
          none ? 0 : random.int(2 ** 32),
        );
        proof.page(block, at, words, 0);
        records.push({ kind: "page", ...place, low: words[0], high: words[1] });
      }
      proof.verbatim(DEVICE, 0, random.int(50));
      if (i % 20 === 0) expect(proof.digest()).toBe(slowProofOf(passed.digest(), records));
    }
  });

  it("is the same however a stream is cut, with marks and without", () => {
    for (const isPostcopy of [false, true]) {
      const { bytes } = makeStream(random, { isPostcopy });
      const proofs = [1, 7, 64].flatMap((pages) =>
        [false, true].map((marksRam) => {
          const folder = new StreamFolder("web", { marksRam });
          const pieceBytes = () => random.int(9000);
          return proofOfSource(foldAll(bytes, pages, pieceBytes, () => false, folder).batches);
        }),
      );
      expect(new Set(proofs).size).toBe(1);
    }
  });

  it("does not depend on the order of different frames", () => {
    expect(proofOf([page(5), zero(4), page(3, NEW, 1), page(2, NEW), patch(2), page(1)])).toBe(
      proofOf(WRITES),
    );
  });

  it("forgets what was overwritten", () => {
    expect(proofOf([page(5, NEW), zero(1), page(4), patch(4), ...WRITES])).toBe(proofOf(WRITES));
  });

  it.each<[string, () => bigint]>([
    ["a changed byte of a page", () => proofOf([...WRITES.slice(0, 5), page(5, flipped(OLD))])],
    ["a page at another frame", () => proofOf([...WRITES.slice(0, 5), page(6)])],
    ["a page in another block", () => proofOf([...WRITES.slice(0, 5), page(5, OLD, 1)])],
    [
      "two pages that have changed places",
      () => proofOf([page(2), page(1, NEW), ...WRITES.slice(2)]),
    ],
    ["a page that was lost", () => proofOf(WRITES.slice(0, 5))],
    ["a first page that was lost", () => proofOf(WRITES.slice(1))],
    ["older content behind newer", () => proofOf([...WRITES, page(4)])],
    ["older content behind a patch", () => proofOf([...WRITES, page(2, NEW)])],
    ["zeros instead of a page", () => proofOf([...WRITES, zero(5)])],
    ["a lost patch", () => proofOf(WRITES.filter((_, i) => i !== 4))],
    ["a patch that was applied twice", () => proofOf([...WRITES, patch(2)])],
    [
      "a changed byte of a patch",
      () => proofOf([...WRITES.slice(0, 4), patch(2, flipped(PATCH)), page(5)]),
    ],
    ["patches in another order", () => proofOf([...WRITES, patch(2, NEW.slice(9)), patch(2)])],
    ["a changed byte of a device", () => proofOf(WRITES, flipped(DEVICE))],
    ["a byte more of a device", () => proofOf(WRITES, Uint8Array.from([...DEVICE, 0]))],
  ])("is another one for %s", (name, flawed) => {
    const right = name.startsWith("patches")
      ? proofOf([...WRITES, patch(2), patch(2, NEW.slice(9))])
      : proofOf(WRITES);
    expect(flawed()).not.toBe(right);
  });

  it("tells every two of many small differences apart", () => {
    const proofs = new Set<bigint>();
    const words = new Uint32Array(2);
    for (let at = 0; at < 50; at++) {
      for (let bit = 0; bit < 64; bit++) {
        const proof = new StreamProof("web", passedBytes());
        words[0] = bit < 32 ? 1 << bit : 0;
        words[1] = bit < 32 ? 0 : 1 << (bit - 32);
        proof.page(0, at, words, 0);
        proofs.add(proof.digest());
      }
    }
    expect(proofs.size).toBe(50 * 64);
  });

  it("is not taken of pages without hashes", () => {
    const proof = new StreamProof("web", passedBytes());
    const unfolder = new StreamUnfolder("web", { proof });
    const steps = Uint8Array.of(7, 1, 0x61, 9);
    expect(() => unfolder.unfold(steps, OLD, 1, new Uint8Array(5000))).toThrow("without hashes");
    const none = Uint8Array.of(9);
    const hashes = { words: new Uint32Array(2), from: 0, stride: 2 };
    const unfold = () =>
      new StreamUnfolder("web", { proof }).unfold(none, OLD, 1, new Uint8Array(5000), { hashes });
    expect(unfold).toThrow("a record of no block");
  });
});
