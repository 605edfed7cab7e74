// Which guest a replica is of: everything that has to be equal for its memory and its device state
// to be taken by another QEMU. Frames are numbered over all RAM blocks one after another.
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";

export interface RamBlock {
  readonly name: string;
  /** A multiple of 4096. */
  readonly byteLength: number;
}

export interface GuestIdentity {
  /** Its UUID or its name, if its QEMU was told one. */
  readonly guest?: string | undefined;
  /** Machine type with its version, such as "pc-i440fx-7.2". */
  readonly machine: string;
  readonly qemuVersion: string;
  readonly pageBytes: number;
  /** In the order of the migration stream. */
  readonly ramBlocks: readonly RamBlock[];
}

/** Frame numbers are u32 in patches. */
const MAX_RAM_FRAMES = 2 ** 32 - 1;
const MAX_BLOCKS = 4096;

/** Bytes of all RAM blocks. */
export function ramBytesOf(identity: GuestIdentity): number {
  return identity.ramBlocks.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** The identity in `value`, which may come from anywhere; `what` names it when it is none. */
export function parseIdentity(value: unknown, what: string): GuestIdentity {
  const fail = (reason: string): never => {
    throw new PagefoldError("FORMAT", `${what}: ${reason}`);
  };
  const given = (value ?? {}) as Record<string, unknown>;
  const { guest, machine, qemuVersion, pageBytes, ramBlocks } = given;
  if (guest !== undefined && typeof guest !== "string") return fail("its name is no text");
  if (typeof machine !== "string") return fail("there is no machine type");
  if (typeof qemuVersion !== "string") return fail("there is no QEMU version");
  if (pageBytes !== PAGE_BYTES) return fail(`pages of ${pageBytes} bytes, not ${PAGE_BYTES}`);
  if (!Array.isArray(ramBlocks) || ramBlocks.length === 0) return fail("there are no RAM blocks");
  if (ramBlocks.length > MAX_BLOCKS) return fail(`${ramBlocks.length} RAM blocks`);
  const blocks = ramBlocks.map((block: unknown) => {
    const { name, byteLength } = (block ?? {}) as Record<string, unknown>;
    if (typeof name !== "string") return fail("a RAM block has no name");
    if (!Number.isSafeInteger(byteLength) || Number(byteLength) <= 0) {
      return fail(`RAM block ${name}: ${byteLength} bytes`);
    }
    if (Number(byteLength) % PAGE_BYTES !== 0) {
      return fail(`RAM block ${name}: ${byteLength} bytes are not whole pages`);
    }
    return { name, byteLength: Number(byteLength) };
  });
  const named = guest === undefined ? {} : { guest };
  const identity = { ...named, machine, qemuVersion, pageBytes: PAGE_BYTES, ramBlocks: blocks };
  const frames = ramBytesOf(identity) / PAGE_BYTES;
  if (frames > MAX_RAM_FRAMES) fail(`${frames} frames are over the limit of ${MAX_RAM_FRAMES}`);
  return identity;
}

/** The first thing in which `other` is not `kept`, in words; undefined when they are one guest. */
export function identityDifference(kept: GuestIdentity, other: GuestIdentity): string | undefined {
  const [name, otherName] = [kept, other].map(({ guest = "without a name" }) => guest);
  if (name !== otherName) return `guest ${name}, not ${otherName}`;
  if (kept.machine !== other.machine) return `machine ${kept.machine}, not ${other.machine}`;
  if (kept.qemuVersion !== other.qemuVersion) {
    return `QEMU ${kept.qemuVersion}, not ${other.qemuVersion}`;
  }
  if (kept.pageBytes !== other.pageBytes) {
    return `pages of ${kept.pageBytes} bytes, not ${other.pageBytes}`;
  }
  if (kept.ramBlocks.length !== other.ramBlocks.length) {
    return `${kept.ramBlocks.length} RAM blocks, not ${other.ramBlocks.length}`;
  }
  for (const [i, { name, byteLength }] of kept.ramBlocks.entries()) {
    const block = other.ramBlocks[i];
    if (name !== block.name) return `RAM block ${i} ${name}, not ${block.name}`;
    if (byteLength !== block.byteLength) {
      return `RAM block ${name} of ${byteLength} bytes, not ${block.byteLength}`;
    }
  }
  return undefined;
}
