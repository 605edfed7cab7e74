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
  let end = out;
  view.setUint8(end++, codes.length);
  for (const { code, item } of codes) {
    end = writeVarint(view, end, code);
    if (code % 2 === 0) view.setUint8(end++, item);
  }
  const content = slabPart(task.slabPtr, "pages") + page * PAGE_BYTES;
  const opsBytes = kernels.deltaEncode(
    content,
    scratch.pairs,
    codes.length,
    end,
    MAX_DELTA_BYTES,
    scratch.delta,
  );
  return opsBytes === 0 ? 0 : end + opsBytes - out;
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
