// The slow, obvious reading of snappy's format_description.txt that tests hold against the kernel,
// and CRC-32C bit by bit.

/** The content of a block, or undefined when it is broken or has more than `capacity` bytes. */
export function snappyDecodeOracle(block: Uint8Array, capacity: number): Uint8Array | undefined {
  let at = 0;
  /** The next `bytes` bytes as a number; NaN past the end. */
  function number(bytes: number): number {
    let value = 0;
    for (let i = 0; i < bytes; i++) value += (block[at++] ?? Number.NaN) * 2 ** (8 * i);
    return value;
  }
  let stated = 0;
  for (let i = 0; ; i++) {
    const byte = number(1);
    if (i === 5 || Number.isNaN(byte)) return undefined;
    stated += (byte % 128) * 2 ** (7 * i);
    if (byte < 128) break;
  }
  if (stated > capacity) return undefined;
  const out: number[] = [];
  while (at < block.length) {
    const tag = number(1);
    const kind = tag % 4;
    let length = (tag >> 2) + 1;
    let distance = 0;
    if (kind === 0 && length > 60) length = number(length - 60) + 1;
    else if (kind === 1) {
      length = ((tag >> 2) % 8) + 4;
      distance = (tag >> 5) * 256 + number(1);
    } else if (kind === 2) distance = number(2);
    else if (kind === 3) distance = number(4);
    if (!(out.length + length <= stated)) return undefined;
    if (kind === 0) {
      if (at + length > block.length) return undefined;
      for (let i = 0; i < length; i++) out.push(block[at++]);
    } else {
      if (!(distance >= 1 && distance <= out.length)) return undefined;
      for (let i = 0; i < length; i++) out.push(out[out.length - distance]);
    }
  }
  return out.length === stated ? Uint8Array.from(out) : undefined;
}

/** CRC-32C of `bytes`. */
export function crc32cOracle(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f6_3b78 : 0);
  }
  return ~crc >>> 0;
}
