// A guest that connects once more while it migrates: capabilities that use several connections
// cannot be folded, because only one has an order.
import { PagefoldError } from "../core/errors.ts";
import { MULTIFD_MAGIC } from "./stream.ts";

/** Why another connection is refused; `bytes` are the first it has sent, if any came yet. */
export function furtherConnectionFault(guest: string, bytes: Uint8Array): PagefoldError {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isMultifd = bytes.length >= 4 && view.getUint32(0) === MULTIFD_MAGIC;
  const reason = isMultifd
    ? "multifd is on: turn off the capability multifd"
    : "QEMU opened another connection: turn off the capabilities multifd and postcopy-preempt";
  return new PagefoldError("FORMAT", `${guest}: ${reason}`);
}
