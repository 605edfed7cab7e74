// One item of a deltas cluster (docs/format.md §1.4): the references it names, then the ops.
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { CANDIDATE_BYTES, CANDIDATES_OFFSET, PLAN_BYTES, slabPart } from "../core/slab.ts";
import { DELTA_MAX_REFERENCES, type Kernels } from "../kernels/abi.ts";
import type { CandidateReader } from "./candidates.ts";
import type { DecodeMemory } from "./decodecluster.ts";
import type { EncodeTask, TaskContext } from "./task.ts";

/** A longer delta gains less than a page that others can refer to: measured on memory of guests. */
const MAX_DELTA_BYTES = PAGE_BYTES / 2;

/** Encodes `page` against its candidates at `out`; returns the bytes of the item, 0: no gain. */
export function encodeDelta(
  context: TaskContext,
  task: EncodeTask,
  from: CandidateReader,
  page: number,
  out: number,
): number {
  const { view, scratch, kernels } = context;
  const plan = slabPart(task.slabPtr, "plan") + page * PLAN_BYTES;
  const codes: { code: number; item: number }[] = [];
  for (let k = 0; k < view.getUint32(plan + 4, true); k++) {
    const target = scratch.references + codes.length * PAGE_BYTES;
    if (!from.reference(page, k, target)) continue;
    view.setUint32(scratch.pairs + codes.length * 4, target, true);
    const at = plan + CANDIDATES_OFFSET + k * CANDIDATE_BYTES;
    codes.push({ code: view.getFloat64(at + 24, true), item: view.getUint32(at + 20, true) });
  }
  if (codes.length === 0) return 0;
  const opsOffset = writeReferences(view, out, codes);
  const content = slabPart(task.slabPtr, "pages") + page * PAGE_BYTES;
  const encode = (count: number, target: number): number =>
    kernels.deltaEncode(content, scratch.pairs, count, target, MAX_DELTA_BYTES, scratch.delta);
  const opsBytes = encode(codes.length, out + opsOffset);
  if (opsBytes === 0) return 0;
  if (codes.length === 1 || !isOfBase(codes[0].code)) return opsOffset + opsBytes;
  // Where all is small, a reference that is not used costs: it is left out.
  const used = usedReferences(view, out + opsOffset, opsBytes);
  const kept = codes.filter((_, i) => used.has(i + 1));
  if (kept.length === codes.length) return opsOffset + opsBytes;
  let count = 0;
  for (const i of codes.keys()) {
    if (!used.has(i + 1)) continue;
    view.setUint32(scratch.pairs + count++ * 4, scratch.references + i * PAGE_BYTES, true);
  }
  const shorter = writeReferences(view, out, kept);
  return shorter + encode(count, out + shorter);
}

const isOfBase = (code: number): boolean => code % 2 === 1;

/** Returns the bytes that it wrote. */
function writeReferences(
  view: DataView,
  out: number,
  codes: readonly { code: number; item: number }[],
): number {
  let end = out;
  view.setUint8(end++, codes.length);
  for (const { code, item } of codes) {
    end = writeVarint(view, end, code);
    if (!isOfBase(code)) view.setUint8(end++, item);
  }
  return end - out;
}

/** The numbers, from 1, of references that ops of our own making copy from. */
function usedReferences(view: DataView, ops: number, byteLength: number): Set<number> {
  const used = new Set<number>();
  const skipVarint = (at: number): number => {
    let next = at;
    while (view.getUint8(next++) >= 0x80);
    return next;
  };
  for (let at = ops; at < ops + byteLength; ) {
    const low = view.getUint8(at);
    const behind = skipVarint(at);
    let length = low & 0x7f;
    if (low >= 0x80) length += (view.getUint8(at + 1) & 0x7f) * 0x80;
    if (behind - at > 2) length += view.getUint8(at + 2) * 0x4000;
    const reference = low & 3;
    if (reference > 0) used.add(reference);
    at = reference > 0 ? skipVarint(behind) : behind + (length >> 2);
  }
  return used;
}

function writeVarint(view: DataView, at: number, value: number): number {
  let rest = value;
  let end = at;
  while (rest >= 0x80) {
    view.setUint8(end++, (rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  view.setUint8(end++, rest);
  return end;
}

/** A page that a delta refers to. */
export type DeltaReference = { cluster: number; item: number } | { baseFrame: number };

/** Reads the references of an item; `opsOffset` is where its ops begin. Throws DAMAGED. */
export function readReferences(
  view: DataView,
  ptr: number,
  byteLength: number,
  name: string,
): { references: DeltaReference[]; opsOffset: number } {
  const fail = (reason: string): never => {
    throw new PagefoldError("DAMAGED", `${name}: ${reason}`);
  };
  let at = 0;
  const next = (): number =>
    at < byteLength ? view.getUint8(ptr + at++) : fail(`a delta ends after ${byteLength} bytes`);
  const count = next();
  if (count < 1 || count > DELTA_MAX_REFERENCES) fail(`a delta with ${count} references`);
  const references: DeltaReference[] = [];
  for (let i = 0; i < count; i++) {
    let code = 0;
    let scale = 1;
    let byte = 0x80;
    for (let length = 0; byte >= 0x80; length++) {
      if (length === 7) fail("a reference is longer than 7 bytes");
      byte = next();
      code += (byte & 0x7f) * scale;
      scale *= 0x80;
    }
    if (code % 2 === 1) references.push({ baseFrame: (code - 1) / 2 });
    else references.push({ cluster: code / 2, item: next() });
  }
  return { references, opsOffset: at };
}

/**
 * Applies the ops of an item to reference pages at `referencePtrs` (u32 each at `refsPtr`),
 * writing one page at `target`. Throws DAMAGED.
 */
export function applyDelta(
  memory: DecodeMemory & { kernels: Kernels },
  opsPtr: number,
  opsBytes: number,
  refsPtr: number,
  refCount: number,
  target: number,
  name: string,
): void {
  const code = memory.kernels.deltaDecode(opsPtr, opsBytes, refsPtr, refCount, target);
  if (code !== PAGE_BYTES) throw new PagefoldError("DAMAGED", `${name}: delta fault ${code}`);
}
