// What a report carries for the page in the browser, before it is deflated. Written by html.ts and
// read by page/main.ts; both are of one version, because each report brings its own page along.
//
//   u32  bytes of the text   |   text: JSON of `ReportText`   |   maps, one after another
//   map  of one frame a cell:  u8 kind × cells
//        of more:              7 planes, one a kind, of u8 × cells: frames of it, in 1/255 of the
//                              cell if that has more than 255 frames
//        then                  u8 × cells: mean entropy in 1/16 bit
import type { ExplainedMap, Explanation } from "../explainapi.ts";
import { ENTROPY_PER_BIT } from "../kernels/layout.ts";
import { KIND_COUNT } from "./kindcodes.ts";

/** Parts of a bit in which entropy is kept. */
const PER_BIT = 16;
const MAX_COUNT = 255;
/** Characters of a name that a report shows; a page of names as long as paths may be is no use. */
const MAX_NAME = 200;

/** A map as the page has it. */
export interface DrawnMap {
  framesPerCell: number;
  cellCount: number;
  frameCount: number;
  /** First frame, frames, address in hex. */
  addresses: [frame: number, frameCount: number, address: string][];
}

/** The numbers of a report. */
export interface ReportText extends Omit<Explanation, "maps"> {
  maps: DrawnMap[];
}

/** The cells of a map as the page has them. */
export interface MapCells {
  /** The commonest kind of each cell. */
  kinds: Uint8Array;
  /** By cell in bits. */
  entropy(cell: number): number;
  /** Frames by kind, which may be rounded. */
  counts(cell: number): number[];
}

export function encodePayload({ maps, images, ...rest }: Explanation): Uint8Array {
  const text: ReportText = {
    ...rest,
    images: images.map((image) => ({
      ...image,
      name: shortened(image.name),
      // The page computes it from the map.
      entropy: { framesPerRegion: 0, bits: [] },
    })),
    maps: maps.map(({ framesPerCell, cellCount, frameCount, addresses }) => ({
      framesPerCell,
      cellCount,
      frameCount,
      addresses: addresses.map(({ frame, frameCount, address }) => [
        frame,
        frameCount,
        address.toString(16),
      ]),
    })),
  };
  const json = new TextEncoder().encode(JSON.stringify(text));
  const planes = maps.flatMap((map) => planesOf(map));
  const length = planes.reduce((sum, plane) => sum + plane.length, 4 + json.length);
  const payload = new Uint8Array(length);
  new DataView(payload.buffer).setUint32(0, json.length, true);
  let at = 4;
  for (const part of [json, ...planes]) {
    payload.set(part, at);
    at += part.length;
  }
  return payload;
}

/** The reverse. The page trusts it: what is wrong in it is our own fault. */
export function decodePayload(payload: Uint8Array): { text: ReportText; cells: MapCells[] } {
  const view = new DataView(payload.buffer, payload.byteOffset);
  let at = 4 + view.getUint32(0, true);
  const text: ReportText = JSON.parse(new TextDecoder().decode(payload.subarray(4, at)));
  const take = (length: number) => {
    at += length;
    return payload.subarray(at - length, at);
  };
  const cells = text.maps.map((map) => {
    const planes = take(map.cellCount * (map.framesPerCell === 1 ? 1 : KIND_COUNT));
    return readCells(map, planes, take(map.cellCount));
  });
  return { text, cells };
}

function planesOf(map: ExplainedMap): Uint8Array[] {
  const { framesPerCell, cellCount, frameCount, counts, entropySums } = map;
  const planes = new Uint8Array(cellCount * (framesPerCell === 1 ? 1 : KIND_COUNT));
  const entropies = new Uint8Array(cellCount);
  const scale = framesPerCell > MAX_COUNT ? MAX_COUNT / framesPerCell : 1;
  for (let cell = 0; cell < cellCount; cell++) {
    const frames = Math.min(framesPerCell, frameCount - cell * framesPerCell);
    entropies[cell] = Math.round((entropySums[cell] / frames / ENTROPY_PER_BIT) * PER_BIT);
    for (let kind = 0; kind < KIND_COUNT; kind++) {
      const count = counts[cell * KIND_COUNT + kind];
      if (framesPerCell > 1) planes[kind * cellCount + cell] = Math.ceil(count * scale);
      else if (count === 1) planes[cell] = kind;
    }
  }
  return [planes, entropies];
}

function readCells(map: DrawnMap, planes: Uint8Array, entropies: Uint8Array): MapCells {
  const { framesPerCell, cellCount } = map;
  const entropy = (cell: number): number => entropies[cell] / PER_BIT;
  if (framesPerCell === 1) {
    const counts = (cell: number) => {
      return Array.from({ length: KIND_COUNT }, (_, kind) => (planes[cell] === kind ? 1 : 0));
    };
    return { kinds: planes, entropy, counts };
  }
  const scale = framesPerCell > MAX_COUNT ? framesPerCell / MAX_COUNT : 1;
  const counts = (cell: number): number[] =>
    Array.from({ length: KIND_COUNT }, (_, kind) =>
      Math.round(planes[kind * cellCount + cell] * scale),
    );
  const kinds = new Uint8Array(cellCount);
  for (let cell = 0; cell < cellCount; cell++) {
    let most = 0;
    for (let kind = 0; kind < KIND_COUNT; kind++) {
      const count = planes[kind * cellCount + cell];
      if (count <= most) continue;
      most = count;
      kinds[cell] = kind;
    }
  }
  return { kinds, entropy, counts };
}

/** Of a long name both ends, which tell paths apart. */
function shortened(name: string): string {
  const characters = [...name];
  if (characters.length <= MAX_NAME) return name;
  const half = MAX_NAME / 2;
  return `${characters.slice(0, half).join("")}…${characters.slice(-half).join("")}`;
}
