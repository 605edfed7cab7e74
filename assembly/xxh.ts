// The constants that XXH64 and XXH3 share (xxHash spec), for fingerprint.ts and checksum.ts.

// @ts-ignore: decorator
@inline export const PRIME32_1: u64 = 0x9e3779b1;
// @ts-ignore: decorator
@inline export const PRIME32_2: u64 = 0x85ebca77;
// @ts-ignore: decorator
@inline export const PRIME32_3: u64 = 0xc2b2ae3d;
// @ts-ignore: decorator
@inline export const PRIME64_1: u64 = 0x9e3779b185ebca87;
// @ts-ignore: decorator
@inline export const PRIME64_2: u64 = 0xc2b2ae3d27d4eb4f;
// @ts-ignore: decorator
@inline export const PRIME64_3: u64 = 0x165667b19e3779f9;
// @ts-ignore: decorator
@inline export const PRIME64_4: u64 = 0x85ebca77c2b2ae63;
// @ts-ignore: decorator
@inline export const PRIME64_5: u64 = 0x27d4eb2f165667c5;
