// The cells of a map as pictures: one pixel a cell, and coarser ones in which a pixel stands for
// the commonest kind of four. Drawing is then copying with the right enlargement.
import { KIND_COUNT } from "../kindcodes.ts";
import type { MapShape, MapSize, MapView } from "./mapgeometry.ts";

/** Red, green, blue by kind. */
export type Colors = readonly (readonly [number, number, number])[];

/** Marks a pixel behind the last cell. */
const NONE = 255;

interface Level {
  columns: number;
  rows: number;
  kinds: Uint8Array;
}

export class MapPicture {
  private readonly levels: Level[];
  private pictures: HTMLCanvasElement[] = [];

  constructor(kinds: Uint8Array, shape: MapShape) {
    const padded = new Uint8Array(shape.columns * shape.rows).fill(NONE);
    padded.set(kinds);
    this.levels = [{ columns: shape.columns, rows: shape.rows, kinds: padded }];
    for (let last = this.levels[0]; last.columns > 64; ) {
      last = halved(last);
      this.levels.push(last);
    }
  }

  /** Colours all cells; those of other kinds than `only` with the last of `colors`. */
  paint(colors: Colors, only: number | undefined): void {
    const shown = colors.slice(0, KIND_COUNT).map((color, kind) => {
      return only === undefined || kind === only ? color : colors[KIND_COUNT];
    });
    this.pictures = this.levels.map((level) => pictureOf(level, shown));
  }

  /** `ratio` is device pixels a CSS pixel. */
  draw(context: CanvasRenderingContext2D, view: MapView, size: MapSize, ratio: number): void {
    let level = 0;
    while (level + 1 < this.levels.length && view.scale * ratio * 2 ** level < 0.75) level++;
    const cells = 2 ** level;
    const picture = this.pictures[level];
    context.imageSmoothingEnabled = false;
    const pixels = view.scale * cells;
    const [x, y] = [-view.left * view.scale, -view.top * view.scale];
    context.save();
    context.beginPath();
    context.rect(0, 0, size.width, size.height);
    context.clip();
    context.drawImage(picture, x, y, picture.width * pixels, picture.height * pixels);
    context.restore();
  }
}

function pictureOf({ columns, rows, kinds }: Level, colors: Colors): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  const image = context.createImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  // Bytes are red, green, blue, alpha; the browsers of today run on little-endian machines.
  const words = colors.map(([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0);
  for (let i = 0; i < kinds.length; i++) if (kinds[i] !== NONE) pixels[i] = words[kinds[i]];
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Of two by two cells the commonest kind, of equally common ones the one that costs more. */
function halved({ columns, rows, kinds }: Level): Level {
  const half = { columns: columns / 2, rows: Math.ceil(rows / 2) };
  const result = new Uint8Array(half.columns * half.rows);
  for (let row = 0; row < half.rows; row++) {
    for (let column = 0; column < half.columns; column++) {
      const at = row * 2 * columns + column * 2;
      const below = row * 2 + 1 < rows ? at + columns : at;
      const four = [kinds[at], kinds[at + 1], kinds[below], kinds[below + 1]];
      result[row * half.columns + column] = commonest(four);
    }
  }
  return { ...half, kinds: result };
}

function commonest([a, b, c, d]: number[]): number {
  if (a === b && c === d) return a === c || c === NONE ? a : c === NONE ? a : Math.max(a, c);
  if (c === NONE && d === NONE) return Math.max(a === NONE ? 0 : a, b === NONE ? 0 : b);
  if (a === b || a === c || a === d) return a;
  if (b === c || b === d) return b;
  if (c === d) return c;
  return Math.max(...[a, b, c, d].filter((kind) => kind !== NONE));
}
