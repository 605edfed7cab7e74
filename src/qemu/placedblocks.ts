// The blocks of memory that the scripts of a guest name, as the target knows them: it has not seen
// how long they are.
import { MAX_BLOCKS } from "./blocks.ts";
import type { ScriptReader } from "./script.ts";

/** A block, and what of it waits. */
export interface PlacedBlock {
  readonly number: number;
  readonly name: Uint8Array;
  /** By page. */
  readonly waiting: Map<number, WaitingFrame>;
}

/** A frame whose content has not come. */
export interface WaitingFrame {
  readonly block: PlacedBlock;
  readonly page: number;
  /** What its page is called. */
  readonly name: number;
}

export class PlacedBlocks {
  private readonly blocks = new Map<number, PlacedBlock>();

  /** The block of a step; where it is mentioned for the first time its name follows. */
  read(steps: ScriptReader): PlacedBlock {
    const { count: number } = steps;
    if (number >= MAX_BLOCKS) steps.fail(`block ${number}, ${MAX_BLOCKS} are possible`);
    let block = this.blocks.get(number);
    if (block === undefined) {
      const length = steps.u8();
      const from = steps.skip(length);
      block = { number, name: steps.bytes.slice(from, from + length), waiting: new Map() };
      this.blocks.set(number, block);
    }
    return block;
  }
}
