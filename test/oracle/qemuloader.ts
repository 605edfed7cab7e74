// Loads a migration stream as a hypervisor does, slow and obvious: what each frame holds in the
// end, and all bytes that are no records of RAM. Contents are told apart by their hashes; a patch
// makes another content of the one before, whatever it says.
import { createHash } from "node:crypto";

export interface LoadedStream {
  /** By "block/page". */
  readonly frames: Map<string, string>;
  readonly others: Buffer;
}

export function loadStream(stream: Uint8Array): LoadedStream {
  const bytes = Buffer.from(stream);
  const frames = new Map<string, string>();
  const others: Buffer[] = [];
  let at = 0;
  let block: string | undefined;
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new Error(`${length} bytes are missing at ${at}`);
    at += length;
    return bytes.subarray(at - length, at);
  };
  const pass = (length: number): Buffer => {
    const passed = take(length);
    others.push(passed);
    return passed;
  };
  const passBlocks = (): void => {
    pass(4 + 4 + 4 + 4);
    for (let left = pass(8).readBigUInt64BE() & ~0xfffn; left > 0n; ) {
      pass(pass(1)[0]);
      left -= pass(8).readBigUInt64BE();
    }
    pass(8 + 5);
  };
  /** One record; whether it was another than the end of the part. */
  const loadRecord = (): boolean => {
    const offset = bytes.readBigUInt64BE(at);
    const flags = Number(offset & 0xfffn);
    if (flags === 0x10) {
      pass(8);
      return false;
    }
    take(8);
    if ((flags & 0x20) === 0) block = take(take(1)[0]).toString();
    if (block === undefined) throw new Error("a record continues no block");
    const frame = `${block}/${offset >> 12n}`;
    const kind = flags & ~0x20;
    if (kind === 0x08) frames.set(frame, hashOf(take(4096)));
    else if (kind === 0x02) frames.set(frame, `zero ${take(1)[0]}`);
    else if (kind === 0x40) {
      const payload = take(take(3).readUInt16BE(1));
      frames.set(frame, hashOf(Buffer.from(`${frames.get(frame)} ${hashOf(payload)}`)));
    } else throw new Error(`flags ${flags}`);
    return true;
  };
  pass(8);
  while (at < bytes.length) {
    const type = pass(1)[0];
    if (type === 7) pass(pass(4).readUInt32BE());
    else if (type === 8) pass(pass(4).readUInt16BE(2));
    else if (type === 1) passBlocks();
    else if (type === 2 || type === 3) {
      pass(4);
      while (loadRecord());
      pass(5);
    } else pass(bytes.length - at);
  }
  return { frames, others: Buffer.concat(others) };
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha1").update(bytes).digest("hex");
}
