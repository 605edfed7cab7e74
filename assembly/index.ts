// The exports of the kernels, and nothing else; src/kernels/abi.ts says what each one does.
export { anchorPages } from "./anchors";
export { anchorBytes, anchorInit, anchorInsert, anchorLookup, anchorTurn } from "./anchortable";
export { checksum } from "./checksum";
export { compare } from "./compare";
export { deltaDecode, deltaEncode } from "./delta";
export { diff, diffBlocks, gatherBlocks, scatterBlocks } from "./diff";
export { inspectPages } from "./findings";
export { fingerprintPages } from "./fingerprint";
export { lz4Compress, lz4Decompress } from "./lz4";
export { survey } from "./survey";
export { tableBytes, tableCount, tableEntry, tableInit, tableLookup } from "./table";
export { sketchBytes, sketchInit, sketchInsert, sketchLookup } from "./sketchtable";
export { packDeltas, packPages } from "./cluster";
export { describePages, planPages } from "./plan";
export { insertWindows, newWindows, searchWindows } from "./windows";
export { zstdCompress, zstdCompressAfter } from "./zstd/compress";
export { zstdDecodeBlock, zstdDecodeInit } from "./zstd/decodeblock";
export { zstdDecompress, zstdDecompressAfter } from "./zstd/decompress";
