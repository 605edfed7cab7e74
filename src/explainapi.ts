// The public types of an explanation: where the bytes of images go when they are packed together.
// Bytes are bytes, frames are numbered from 0. Types only.
import type { FrameCounts } from "./wire/imagehead.ts";

/** What packing images together would do, number by number. Nothing was written. */
export interface Explanation {
  /** In the order of the inputs. */
  images: ExplainedImage[];
  /** From the memory of all images to the archive. */
  steps: ExplainedStep[];
  /**
   * Row i, column j: distinct pages that images i and j both have; on the diagonal those that image
   * i has. Pages of zeros or of one repeated word do not count.
   */
  sharing: number[][];
  /** The pages that are there most often, most often first. Pages of zeros do not count. */
  repeated: RepeatedPage[];
  /** Of the images, as files or as what was compressed in them. */
  inputBytes: number;
  /** Of the archive that was not written. */
  outputBytes: number;
  /** Pages that were not looked up because the table was full (`memoryBytes` is too small). */
  unlistedPages: number;
  /** Without opening the engine. */
  elapsedMs: number;
  /** What the report page draws; one for each image. Not part of `--json`. */
  maps: ExplainedMap[];
}

/** An image as packing found it. */
export interface ExplainedImage {
  /** As in the input. */
  name: string;
  /** "raw", "elf-core", "lime", …; undefined for an image that is no file. */
  format: string | undefined;
  /** What the input was compressed with. */
  decompressed?: string;
  /** Of the file, or of what was in it. */
  byteLength: number;
  /** Pages of its segments. */
  frameCount: number;
  /** Frames by what became of them. */
  counts: FrameCounts;
  /** Stored pages whose bytes have at least 7.5 bits of entropy: what hardly compresses. */
  densePages: number;
  /** Bytes of clusters that it added. */
  storedBytes: number;
  /** Distinct pages, and those of them that no other image has. */
  distinctPages: number;
  ownPages: number;
  /** Mean entropy of the pages of regions of equal size, the last one may be smaller. */
  entropy: { framesPerRegion: number; bits: number[] };
}

/** How many bytes a step takes away (negative) or adds, and how many are left then. */
export interface ExplainedStep {
  /**
   * "memory" (all frames), "zero", "uniform", "duplicateInside", "duplicateAcross", "similar" (what
   * deltas save), "compression", "overhead" (heads and index); then it is an archive.
   */
  name: string;
  changeBytes: number;
  leftBytes: number;
}

/** A page that is there more than once. */
export interface RepeatedPage {
  /** Frames that have it, in all images. */
  count: number;
  /** Which images, by number. */
  images: number[];
  /** Where it was first. */
  first: { image: number; frame: number };
  /** True for one word of 8 bytes, 512 times. */
  isUniform: boolean;
  /** Its first 64 bytes that are not all zero, in hex, and where they stand in the page. */
  bytes: string;
  byteOffset: number;
}

/** A map of an image: cells of equally many frames, the last one may have fewer. */
export interface ExplainedMap {
  framesPerCell: number;
  cellCount: number;
  frameCount: number;
  /** Seven numbers a cell: frames by kind (report/kinds.ts). */
  counts: Uint32Array;
  /** By cell, the sum over its frames in 1/4096 bit. */
  entropySums: Float64Array;
  /** Where frames lay in the captured address space, if the format says so; rising frames. */
  addresses: { frame: number; frameCount: number; address: bigint }[];
}
