// Folders of CRIU images: which files are in them, and how many processes and pages. A pages-N.img
// is the pages themselves, without a header, and all files are kept as they are, so that a restore
// finds them again. What CRIU compresses in its newer versions is refused by name.
//
//   every image   u32 54564319 | u32 magic of its kind | (u32 bytes | protobuf message) …
//   inventory     kind 58313116       pstree   kind 50273030, a message for each process
//   pagemap-N     kind 56084025, first { 1: number of its pages-N.img }, then { 2: pages, if few
//                 3: in the parent  4: flags, bit 2: present  5: pages } for each stretch
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { PbfReader } from "pbf";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { PieceReader } from "../core/piecereader.ts";
import { openStored } from "./storedfile.ts";

const COMMON_MAGIC = 0x5456_4319;
const INVENTORY_MAGIC = 0x5831_3116;
const PSTREE_MAGIC = 0x5027_3030;
const PAGEMAP_MAGIC = 0x5608_4025;
const PRESENT = 4;
/** Of a message in a pagemap, as CRIU 4.2 has them; fields beyond tell how pages are compressed. */
const LAST_FIELD = 5;
/** Messages that are read here have some 20 bytes, or 64 KiB if they list what is compressed. */
const MAX_MESSAGE_BYTES = 1 << 20;

export interface CriuFolder {
  /** Names of all regular files in it, in order. */
  readonly files: readonly string[];
  readonly processCount: number;
  /** Of the memory in it, wherever in the files. */
  readonly pageCount: number;
}

/** What is in the folder; INPUT when it is not one of CRIU's. */
export async function readCriuFolder(path: string): Promise<CriuFolder> {
  const entries = await readdir(path, { withFileTypes: true }).catch((error) => {
    throw new PagefoldError("INPUT", `${path}: ${reasonOf(error)}`, { cause: error });
  });
  const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  files.sort();
  const inventory = files.includes("inventory.img") && (await messagesOf(path, "inventory.img"));
  if (!inventory || inventory.kind !== INVENTORY_MAGIC) {
    const reason = "is a directory without CRIU's inventory.img; name the files in it";
    throw new PagefoldError("INPUT", `${path}: ${reason}`);
  }
  let processCount = 0;
  let pageCount = 0;
  for (const name of files) {
    if (!/^(pstree|pagemap-.*)\.img$/.test(name)) continue;
    const { kind, messages } = await messagesOf(path, name);
    if (kind === PSTREE_MAGIC) processCount += messages.length;
    if (kind === PAGEMAP_MAGIC) pageCount += await countPages(path, messages);
  }
  return { files, processCount, pageCount };
}

/** All messages of an image; those of a damaged one as far as they can be told apart. */
async function messagesOf(folder: string, name: string) {
  const stored = await openStored(join(folder, name));
  const pieces = new PieceReader(stored.pieces(), undefined);
  try {
    const common = await u32(pieces);
    const kind = common === COMMON_MAGIC ? await u32(pieces) : undefined;
    const messages: Map<number, number>[] = [];
    while (kind !== undefined) {
      const byteLength = (await u32(pieces)) ?? Infinity;
      if (byteLength > Math.min(MAX_MESSAGE_BYTES, stored.byteLength)) break;
      const bytes = await pieces.take(byteLength);
      if (bytes.length < byteLength) break;
      messages.push(fieldsOf(bytes));
    }
    return { kind, messages };
  } finally {
    await pieces.close();
    await stored.close();
  }
}

/** The last value of each field of a flat message; 0 where it is no varint. */
function fieldsOf(message: Uint8Array): Map<number, number> {
  const fields = new Map<number, number>();
  const read = (field: number, _: undefined, reader: PbfReader): void => {
    fields.set(field, reader.type === 0 ? reader.readVarint() : 0);
  };
  try {
    new PbfReader(message).readFields(read, undefined);
  } catch {
    // It is cut, or of no known kind from here on.
  }
  return fields;
}

async function u32(pieces: PieceReader): Promise<number | undefined> {
  const bytes = await pieces.take(4);
  if (bytes.length < 4) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
}

/** The pages that a pagemap has in its pages-N.img. */
async function countPages(folder: string, messages: Map<number, number>[]): Promise<number> {
  const [head, ...stretches] = messages;
  let pageCount = 0;
  let isNewer = false;
  for (const fields of stretches) {
    const isInParent = fields.get(3) === 1;
    const isPresent = ((fields.get(4) ?? (isInParent ? 0 : PRESENT)) & PRESENT) !== 0;
    if (isPresent) pageCount += fields.get(5) ?? fields.get(2) ?? 0;
    if ([...fields.keys()].some((field) => field > LAST_FIELD)) isNewer = true;
  }
  const pages = `pages-${head?.get(1)}.img`;
  if (isNewer && (await lengthOf(join(folder, pages))) !== pageCount * PAGE_BYTES) {
    const reason = "its pages are compressed, as CRIU does after 4.2, and those are not read";
    throw new PagefoldError("INPUT", `${join(folder, pages)}: ${reason}: crit decompress`);
  }
  return pageCount;
}

async function lengthOf(path: string): Promise<number | undefined> {
  const stored = await openStored(path).catch(() => undefined);
  await stored?.close();
  return stored?.byteLength;
}
