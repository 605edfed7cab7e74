// What a contender has to answer so that it can be measured on the difference of two checkpoints.

/** How a figure came about; see bench/README.md. */
export type Way = "chain" | "two files" | "process";

/** Two consecutive checkpoints. */
export interface Epoch {
  older: string;
  newer: string;
  byteLength: number;
  changedPages: number;
  /** Of 64 bytes. */
  changedBlocks: number;
  /** Frames that differ, rising: found by comparing page by page, with nothing of ours. */
  frames: readonly number[];
}

export interface Contender {
  name: string;
  way: Way;
  /** Not part of the time. */
  prepare?(epoch: Epoch): void | Promise<void>;
  /** Encodes the difference; returns its bytes. */
  run(epoch: Epoch): number | Promise<number>;
  /** Throws unless what the last run made leads from the older image to the newer one. */
  check(epoch: Epoch): void | Promise<void>;
}
