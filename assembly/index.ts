export function probe(p: usize, n: u32): u32 { let s: u32 = 0; for (let i: u32 = 0; i < n; i++) s += load<u8>(p + i); return s; }
