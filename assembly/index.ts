export function probe(p: usize, n: u32): u32 { let s: u32 = 0; for (let i: u32 = 0; i < n; i++) s += load<u8>(p + i); return s; }
export { tableBytes, tableCount, tableEntry, tableInit, tableLookup } from "./table";
export { sketchBytes, sketchInit, sketchInsert, sketchLookup } from "./sketchtable";
