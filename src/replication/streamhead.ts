// Reads the head of a guest's migration stream, which lists its RAM blocks; finds out which guest
// it is of, and which of its sections is that of RAM.
import { ByteWriter } from "../core/bytes.ts";
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import type { RamBlock } from "../qemu/blocks.ts";
import { StreamFolder } from "../qemu/folder.ts";
import { Part } from "../qemu/stream.ts";
import { type GuestIdentity, parseIdentity } from "./storeidentity.ts";

export interface StreamHead {
  /** Like "pc-q35-7.2". */
  readonly machine: string;
  readonly blocks: readonly RamBlock[];
  /** Of the section "ram". */
  readonly ramId: number;
}

/** "QEVM", version, part CONFIGURATION, then the length of the machine's name. */
const NAME_LENGTH_AT = 9;
const FOOTER_BYTES = 5;

/** `guest` is for messages; the head ends with the footer behind the blocks. */
export function readStreamHead(guest: string, head: Uint8Array): StreamHead {
  const fail = (reason: string): never => {
    throw new PagefoldError("DAMAGED", `${guest}: head of the stream: ${reason}`);
  };
  const folder = new StreamFolder(guest, { isReturnPathRequired: false });
  const none = { pages: new Uint8Array(0), frames: new Uint32Array(0), pageCount: 0 };
  for (let at = 0; at < head.length; ) {
    const target = { ...none, script: new ByteWriter(256), streamBytes: 0 };
    const taken = folder.fold(head.subarray(at), target);
    if (folder.takeEvent() === undefined && taken === 0) fail("it holds more than a head");
    at += taken;
  }
  const footerAt = head.length - FOOTER_BYTES;
  if (folder.phase !== "ram" || folder.blocks.length === 0) fail("it lists no memory");
  if (head[footerAt] !== Part.FOOTER) fail("it does not end behind the list of the memory");
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head[NAME_LENGTH_AT - 1] !== Part.CONFIGURATION) fail("it names no machine");
  const nameAt = NAME_LENGTH_AT + 4;
  const name = head.subarray(nameAt, nameAt + view.getUint32(NAME_LENGTH_AT));
  return {
    machine: new TextDecoder().decode(name),
    blocks: folder.blocks,
    ramId: view.getUint32(footerAt + 1),
  };
}

/** The guest whose stream begins so. */
export function identityOf(
  name: string,
  head: Uint8Array,
  { guest, qemuVersion }: Pick<GuestIdentity, "guest" | "qemuVersion">,
): GuestIdentity {
  const { machine, blocks } = readStreamHead(name, head);
  const ramBlocks = blocks.map(({ name, byteLength }) => ({ name, byteLength }));
  return parseIdentity({ guest, machine, qemuVersion, pageBytes: PAGE_BYTES, ramBlocks }, name);
}
