// Writes folders of CRIU images from its own description of them (images/*.proto, criu/magic.h),
// as much as tells what is in them: CRIU itself does not run where the tests do.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { u32 } from "./lz4-frames.ts";

const COMMON = 0x54564319;
const KINDS = { inventory: 0x58313116, pstree: 0x50273030, pagemap: 0x56084025 };

export interface Stretch {
  address: number;
  pageCount: number;
  /** As CRIU up to 3 has it, instead of flags. */
  isInParent?: boolean;
  /** 1 in the parent, 2 lazy, 4 present. */
  flags?: number;
  /** A field that no version up to 4.2 knows. */
  newer?: number;
}

export interface CriuProcess {
  pid: number;
  stretches: Stretch[];
  /** What pages-N.img holds. */
  pages: Uint8Array;
}

/** Fields by number; all of them varints. */
function message(fields: [number, number][]): Buffer {
  const bytes: number[] = [];
  const varint = (value: number) => {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
    bytes.push(rest);
  };
  for (const [field, value] of fields) {
    varint(field * 8);
    varint(value);
  }
  return Buffer.from(bytes);
}

export function criuImage(kind: keyof typeof KINDS, messages: [number, number][][]): Buffer {
  const parts = messages.map((fields) => {
    const bytes = message(fields);
    return Buffer.concat([u32(bytes.length), bytes]);
  });
  return Buffer.concat([u32(COMMON), u32(KINDS[kind]), ...parts]);
}

/** The files by name; `folder` is made with them. */
export function writeCriu(folder: string, processes: CriuProcess[]): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = {
    "inventory.img": criuImage("inventory", [[[1, 2]]]),
    "pstree.img": criuImage(
      "pstree",
      processes.map(({ pid }) => [
        [1, pid],
        [2, 0],
      ]),
    ),
    "dump.log": Buffer.from("(00.000001) Version: 4.2\n"),
  };
  processes.forEach(({ pid, stretches, pages }, i) => {
    const entries = stretches.map(({ address, pageCount, isInParent, flags, newer }) => {
      const fields: [number, number][] = [
        [1, address],
        [2, pageCount],
      ];
      if (isInParent !== undefined) fields.push([3, Number(isInParent)]);
      if (flags !== undefined) fields.push([4, flags], [5, pageCount]);
      if (newer !== undefined) fields.push([newer, 1]);
      return fields;
    });
    files[`pagemap-${pid}.img`] = criuImage("pagemap", [[[1, i + 1]], ...entries]);
    files[`pages-${i + 1}.img`] = pages;
  });
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  return files;
}
