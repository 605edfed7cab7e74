// CRC-32C (Castagnoli, reflected 0x82f63b78), eight bytes a turn with eight tables, which the
// caller keeps: table k says what a byte becomes with k zero bytes behind it.

// @ts-ignore: decorator
@inline const POLYNOMIAL: u32 = 0x82f63b78;
// @ts-ignore: decorator
@inline const TABLE_BYTES: usize = 1024;

/** Makes the tables, CRC32C_TABLE_BYTES in all. */
export function crc32cInit(tables: usize): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
    store<u32>(tables + (byte << 2), crc);
  }
  const end = tables + 8 * TABLE_BYTES;
  for (let place = tables + TABLE_BYTES; place < end; place += 4) {
    const before = load<u32>(place - TABLE_BYTES);
    store<u32>(place, (before >>> 8) ^ load<u32>(tables + ((before & 255) << 2)));
  }
}

/** CRC-32C of `length` bytes. */
export function crc32c(ptr: usize, length: u32, tables: usize): u32 {
  const end = ptr + <usize>length;
  let crc: u32 = 0xffffffff;
  for (; ptr + 8 <= end; ptr += 8) {
    crc =
      fold(load<u32>(ptr) ^ crc, tables + 4 * TABLE_BYTES) ^ fold(load<u32>(ptr, 4), tables);
  }
  for (; ptr < end; ptr++) {
    crc = (crc >>> 8) ^ load<u32>(tables + (((crc ^ <u32>load<u8>(ptr)) & 255) << 2));
  }
  return ~crc;
}

/** What 4 bytes become, with as many zeros behind them as the first of four tables says. */
// @ts-ignore: decorator
@inline
export function fold(bytes: u32, tables: usize): u32 {
  return (
    load<u32>(tables + ((bytes & 255) << 2), 3 * TABLE_BYTES) ^
    load<u32>(tables + (((bytes >>> 8) & 255) << 2), 2 * TABLE_BYTES) ^
    load<u32>(tables + (((bytes >>> 16) & 255) << 2), TABLE_BYTES) ^
    load<u32>(tables + ((bytes >>> 24) << 2))
  );
}
