// What the manual page says beyond --help.

export const DESCRIPTION: readonly string[] = [
  "pagefold folds memory images of virtual machines and processes into one archive. " +
    "Pages of zeros, duplicate pages across all images, and pages that resemble another " +
    "one are stored once or as a difference; the rest is compressed. Every image comes out " +
    "identical, and every page can be read on its own.",
  "Inputs are raw images and cores, compressed with zstd or not. What they are is told " +
    "by their content, never by their names. The image - is stdin, the output - is stdout. " +
    "Sizes are bytes, or take KiB, MiB, GiB, TiB; they may be hexadecimal, with 0x.",
  "Between two hosts, tunnel migrates QEMU guests that move together while they run, and " +
    "replicate keeps checkpoints of one at a backup. Tunnels of several hosts can share what " +
    "they send by way of Redis servers, which rack shows.",
  "Whatever happens, an archive or a file appears under its name complete or not at all, " +
    "an append that dies leaves the archive as it was, and inputs are never touched. What " +
    "is written is readable by its owner alone, for memory holds keys and passwords.",
];

export const ENVIRONMENT: readonly (readonly [name: string, meaning: string])[] = [
  ["NO_COLOR", "respected: nothing that pagefold writes has colours"],
  ["REDISCLI_AUTH", "the password of Redis servers, where their address has none"],
  ["PAGEFOLD_DEBUG", "1 adds the stack to the message of a failure"],
];

export const FILES: readonly (readonly [name: string, meaning: string])[] = [
  ["ARCHIVE.lock", "tells others that an append is under way; one that a crash left is noticed"],
  ["NAME.lost", "written by unpack --keep-going: offset, length and reason of what is missing"],
];

export const SEE_ALSO: readonly (readonly [name: string, section: number])[] = [
  ["gcore", 1],
  ["qemu-img", 1],
  ["sha256sum", 1],
  ["zstd", 1],
  ["crash", 8],
];
