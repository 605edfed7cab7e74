// Makes a migration stream again out of a captured guest: the head, the memory of any epoch, the
// devices. A QEMU of the same machine that waits with -incoming loads it and goes on.
import { copyBytes } from "../core/copy.ts";
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { MAX_BLOCK_NAME_BYTES, Part, RAM_HEADER_BYTES, Ram } from "../qemu/stream.ts";
import { isZeroPage } from "./capturepages.ts";
import { type DeviceState, decodeDeviceState } from "./devicestate.ts";
import { runningTail } from "./runstate.ts";
import { type GuestIdentity, identityDifference } from "./storeidentity.ts";
import { identityOf, readStreamHead } from "./streamhead.ts";

/** The memory of an epoch; frames of all RAM blocks are numbered one after another. */
export interface MemoryReader {
  /** Fills `into` (count × 4096 bytes) with frames [frame, frame + count). */
  read(frame: number, count: number, into: Uint8Array, signal?: AbortSignal): Promise<void>;
}

/** Pages of one piece of the stream. */
const PIECE_PAGES = 256;
const GUEST = "the captured guest";
const text = new TextEncoder();

/**
 * The bytes of the stream, in pieces that are the taker's own. The guest runs as soon as QEMU has
 * loaded it, unless that was started with -S. Blocks that were captured from shared files are left
 * out: QEMU finds them in its own file (`resumeFiles`), needs the capability x-ignore-shared and so
 * starts with "-incoming defer".
 */
export async function* resumeStream(
  identity: GuestIdentity,
  deviceState: Uint8Array,
  memory: MemoryReader,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const state = checkedState(identity, deviceState);
  yield state.head.slice();
  yield* memoryOf(state, identity, memory, signal);
  yield runningTail(state.tail);
}

/** The device state, which must be of this guest. */
export function checkedState(identity: GuestIdentity, deviceState: Uint8Array): DeviceState {
  const state = decodeDeviceState(deviceState);
  const found = identityOf(GUEST, state.head, identity);
  const fault = identityDifference(identity, found);
  if (fault) throw new PagefoldError("MISMATCH", `the device state is of another guest: ${fault}`);
  for (const { block } of state.sharedBlocks) {
    if (block >= found.ramBlocks.length) {
      throw new PagefoldError("DAMAGED", `device state: block ${block} is shared, there is none`);
    }
  }
  return state;
}

async function* memoryOf(
  { head, sharedBlocks }: DeviceState,
  { ramBlocks }: GuestIdentity,
  memory: MemoryReader,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const { ramId } = readStreamHead(GUEST, head);
  const pages = new Uint8Array(PIECE_PAGES * PAGE_BYTES);
  let firstFrame = 0;
  yield partHead(ramId);
  for (const [block, { name, byteLength }] of ramBlocks.entries()) {
    const frameCount = byteLength / PAGE_BYTES;
    const isShared = sharedBlocks.some((shared) => shared.block === block);
    for (let page = 0; page < frameCount && !isShared; page += PIECE_PAGES) {
      signal?.throwIfAborted();
      const count = Math.min(PIECE_PAGES, frameCount - page);
      const into = pages.subarray(0, count * PAGE_BYTES);
      await memory.read(firstFrame + page, count, into, signal);
      yield records(into, page, page === 0 ? name : undefined);
    }
    firstFrame += frameCount;
  }
  yield partTail(ramId);
}

/** Records of consecutive pages; the first of them names the block, others continue it. */
function records(pages: Uint8Array, firstPage: number, name: string | undefined): Uint8Array {
  const count = pages.length / PAGE_BYTES;
  const longest = count * (RAM_HEADER_BYTES + PAGE_BYTES) + 1 + MAX_BLOCK_NAME_BYTES;
  const out = new Uint8Array(longest);
  const view = new DataView(out.buffer);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const isNamed = i === 0 && name !== undefined;
    const from = i * PAGE_BYTES;
    const isZero = isZeroPage(pages.subarray(from, from + PAGE_BYTES));
    const page = firstPage + i;
    const flags = (isZero ? Ram.ZERO : Ram.PAGE) | (isNamed ? 0 : Ram.CONTINUE);
    view.setUint32(at, page / 0x10_0000);
    view.setUint32(at + 4, ((page & 0xf_ffff) << 12) | flags);
    at += RAM_HEADER_BYTES;
    if (isNamed) {
      const bytes = text.encode(name);
      out[at] = bytes.length;
      out.set(bytes, at + 1);
      at += 1 + bytes.length;
    }
    if (isZero) at++;
    else {
      copyBytes(pages, from, out, at, PAGE_BYTES);
      at += PAGE_BYTES;
    }
  }
  return out.subarray(0, at);
}

function partHead(ramId: number): Uint8Array {
  const out = new Uint8Array(5);
  out[0] = Part.PART;
  new DataView(out.buffer).setUint32(1, ramId);
  return out;
}

/** The end of the records, and the footer of the part. */
function partTail(ramId: number): Uint8Array {
  const out = new Uint8Array(RAM_HEADER_BYTES + 5);
  const view = new DataView(out.buffer);
  view.setUint32(4, Ram.EOS);
  out[RAM_HEADER_BYTES] = Part.FOOTER;
  view.setUint32(RAM_HEADER_BYTES + 1, ramId);
  return out;
}
