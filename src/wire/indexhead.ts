// The heads of the index: LEAF, PLACES, CONTENTS, DIRECTORY (docs/format.md §2). Each says where
// something is; none is needed to read a stream forwards.
import { ByteReader, ByteWriter } from "../core/bytes.ts";
import { MAX_CLUSTERS, MAX_FRAMES, MAX_HEAD_BYTES, MAX_IMAGES } from "../core/limits.ts";
import { SESSION_NONCE_BYTES } from "../core/seal.ts";
import {
  type ClusterEntry,
  type Run,
  readClusterEntry,
  readRuns,
  writeClusterEntry,
  writeRuns,
} from "./records.ts";

/** A run of frames of one image and where they are. Runs are ZERO, UNIFORM, DUPLICATE or BASE. */
export interface LeafHead {
  image: number;
  firstFrame: number;
  frameCount: number;
  runs: Run[];
}

/** A cluster and its place in the file. */
export interface ClusterPlace extends ClusterEntry {
  byteOffset: number;
}

/** Consecutive clusters from `firstCluster` on. */
export interface PlacesHead {
  firstCluster: number;
  places: ClusterPlace[];
}

/** A batch of the index: what it covers (frames or clusters) and where it is. */
export interface IndexPointer {
  first: number;
  count: number;
  byteOffset: number;
  byteLength: number;
}

export interface DirectoryHead {
  batchCount: number;
  clusterCount: number;
  images: { imageHead: Uint8Array; endHead: Uint8Array; leaves: IndexPointer[] }[];
  places: IndexPointer[];
  contents: IndexPointer[];
  /** Of a sealed archive, in the order of the file: who wrote what with which nonce. */
  sessions?: SealSession[] | undefined;
}

/** Batches and clusters, from these numbers on, that were written together. */
export interface SealSession {
  firstSequence: number;
  firstCluster: number;
  nonce: Uint8Array;
}

export function encodeLeaf(leaf: LeafHead): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  writer.varint(leaf.image);
  writer.varint(leaf.firstFrame);
  writer.varint(leaf.frameCount);
  writeRuns(writer, leaf.runs, leaf.firstFrame, { cluster: 0, moving: true });
  return writer.take();
}

export function decodeLeaf(bytes: Uint8Array, what: string): LeafHead {
  const reader = new ByteReader(bytes, what);
  const image = reader.varint(MAX_IMAGES);
  const firstFrame = reader.varint(MAX_FRAMES);
  const frameCount = reader.varint(MAX_FRAMES);
  const runs = readRuns(reader, firstFrame, frameCount, { cluster: 0, moving: true });
  reader.end();
  return { image, firstFrame, frameCount, runs };
}

export function encodePlaces(head: PlacesHead): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  const groups = contiguousGroups(head.places);
  writer.varint(head.firstCluster);
  writer.varint(groups.length);
  let end = 0;
  for (const group of groups) {
    writer.varint(group[0].byteOffset - end);
    writer.varint(group.length);
    for (const place of group) writeClusterEntry(writer, place);
    const last = group[group.length - 1];
    end = last.byteOffset + last.byteLength;
  }
  return writer.take();
}

function contiguousGroups(places: readonly ClusterPlace[]): ClusterPlace[][] {
  const groups: ClusterPlace[][] = [];
  let end = -1;
  for (const place of places) {
    if (place.byteOffset === end) groups[groups.length - 1].push(place);
    else groups.push([place]);
    end = place.byteOffset + place.byteLength;
  }
  return groups;
}

export function decodePlaces(bytes: Uint8Array, what: string): PlacesHead {
  const reader = new ByteReader(bytes, what);
  const firstCluster = reader.varint(MAX_CLUSTERS);
  const places: ClusterPlace[] = [];
  let byteOffset = 0;
  for (let groups = reader.varint(); groups > 0; groups--) {
    byteOffset += reader.varint();
    for (let count = reader.varint(); count > 0; count--) {
      const entry = readClusterEntry(reader);
      places.push({ byteOffset, ...entry });
      byteOffset += entry.byteLength;
    }
  }
  reader.end();
  return { firstCluster, places };
}

/** Fingerprints (16 bytes each) of all items of `clusterCount` clusters, in order. */
export interface ContentsHead {
  firstCluster: number;
  clusterCount: number;
  fingerprints: Uint8Array;
}

export function encodeContents(head: ContentsHead): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(head.fingerprints.length + 16);
  writer.varint(head.firstCluster);
  writer.varint(head.clusterCount);
  writer.raw(head.fingerprints);
  return writer.take();
}

export function decodeContents(bytes: Uint8Array, what: string): ContentsHead {
  const reader = new ByteReader(bytes, what);
  const firstCluster = reader.varint(MAX_CLUSTERS);
  const clusterCount = reader.varint(MAX_CLUSTERS);
  return { firstCluster, clusterCount, fingerprints: reader.raw(reader.remaining) };
}

export function encodeDirectory(head: DirectoryHead): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(4096);
  writer.varint(head.batchCount);
  writer.varint(head.clusterCount);
  writer.varint(head.images.length);
  for (const image of head.images) {
    writer.string(image.imageHead);
    writer.string(image.endHead);
    writePointers(writer, image.leaves);
  }
  writePointers(writer, head.places);
  writePointers(writer, head.contents);
  if (head.sessions) {
    writer.varint(head.sessions.length);
    for (const { firstSequence, firstCluster, nonce } of head.sessions) {
      writer.varint(firstSequence);
      writer.varint(firstCluster);
      writer.raw(nonce);
    }
  }
  return writer.take();
}

/** That of a sealed archive tells its sessions. */
export function decodeDirectory(bytes: Uint8Array, what: string, isSealed: boolean): DirectoryHead {
  const reader = new ByteReader(bytes, what);
  const batchCount = reader.varint();
  const clusterCount = reader.varint(MAX_CLUSTERS);
  const images: DirectoryHead["images"] = [];
  for (let count = reader.varint(MAX_IMAGES); count > 0; count--) {
    images.push({
      imageHead: reader.counted(MAX_HEAD_BYTES),
      endHead: reader.counted(MAX_HEAD_BYTES),
      leaves: readPointers(reader),
    });
  }
  const head = {
    batchCount,
    clusterCount,
    images,
    places: readPointers(reader),
    contents: readPointers(reader, true),
  };
  const sessions = isSealed ? readSessions(reader, batchCount, clusterCount) : undefined;
  reader.end();
  return sessions ? { ...head, sessions } : head;
}

/** Sessions rise from the first batch on, which is number 0. */
function readSessions(reader: ByteReader, batchCount: number, clusterCount: number) {
  const sessions: SealSession[] = [];
  for (let count = reader.varint(reader.remaining); count > 0; count--) {
    const last = sessions.at(-1);
    const firstSequence = reader.varint();
    const firstCluster = reader.varint(clusterCount);
    const isNext = last
      ? firstSequence > last.firstSequence && firstCluster >= last.firstCluster
      : firstSequence === 0 && firstCluster === 0;
    if (!isNext || firstSequence >= batchCount) {
      reader.fail(`a session from batch ${firstSequence}, cluster ${firstCluster} on`);
    }
    const nonce = new Uint8Array(reader.raw(SESSION_NONCE_BYTES));
    sessions.push({ firstSequence, firstCluster, nonce });
  }
  if (sessions.length === 0) reader.fail("no session");
  return sessions;
}

function writePointers(writer: ByteWriter, pointers: readonly IndexPointer[]): void {
  writer.varint(pointers.length);
  for (const pointer of pointers) {
    writer.varint(pointer.first);
    writer.varint(pointer.count);
    writer.varint(pointer.byteOffset);
    writer.varint(pointer.byteLength);
  }
}

/** Pointers follow one another; where there are no gaps, each begins where the one before ends. */
function readPointers(reader: ByteReader, hasGaps = false): IndexPointer[] {
  const pointers: IndexPointer[] = [];
  for (let count = reader.varint(reader.remaining); count > 0; count--) {
    const previous = pointers.at(-1);
    const pointer = {
      first: reader.varint(),
      count: reader.varint(),
      byteOffset: reader.varint(),
      byteLength: reader.varint(MAX_HEAD_BYTES + 64),
    };
    const expected = previous ? previous.first + previous.count : 0;
    const isNext = pointer.first === expected || (hasGaps && pointer.first > expected);
    if (!isNext || pointer.count === 0) {
      reader.fail(`an index pointer to ${pointer.first}, ${expected} expected`);
    }
    pointers.push(pointer);
  }
  return pointers;
}
