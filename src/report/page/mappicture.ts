// The cells of a map as pictures: one pixel a cell, and coarser ones in which a pixel stands for
// the commonest kind of four. Drawing is then copying with the right enlargement.
import { KIND_COUNT } from "../kindcodes.ts";
import type { MapShape, MapSize, MapView } from "./mapgeometry.ts";

/** Red, green, blue by kind. */
export type Colors = readonly (readonly [number, number, number])[];

/** A map has 16 columns at least, so it can be halved so often. */
const MAX_LEVEL = 4;
/** A pixel of a picture is drawn at least as large, in device pixels. */
const MIN_PIXELS = 0.75;
/** Marks a pixel behind the last cell. */
const NONE = 255;

interface Level {
  columns: number;
  rows: number;
  kinds: Uint8Array;
}

export class MapPicture {
  /** From fine to coarse; coarse ones are made when they are first wanted, as are pictures. */
  private readonly levels: Level[];
  private pictures: (HTMLCanvasElement | undefined)[] = [];
  private colors: Colors = [];

  constructor(kinds: Uint8Array, { columns, rows }: MapShape) {
    const padded = new Uint8Array(columns * rows).fill(NONE);
    padded.set(kinds);
    this.levels = [{ columns, rows, kinds: padded }];
  }

  /** Colours all cells; those of other kinds than `only` with the last of `colors`. */
  paint(colors: Colors, only: number | undefined): void {
    this.colors = colors.slice(0, KIND_COUNT).map((color, kind) => {
      return only === undefined || kind === only ? color : colors[KIND_COUNT];
    });
    this.pictures = [];
  }

  /** `ratio` is device pixels a CSS pixel. */
  draw(context: CanvasRenderingContext2D, view: MapView, size: MapSize, ratio: number): void {
    let level = 0;
    while (level < MAX_LEVEL && view.scale * ratio * 2 ** level < MIN_PIXELS) level++;
    const picture = this.picture(level);
    const pixels = view.scale * 2 ** level;
    const [x, y] = [-view.left * view.scale, -view.top * view.scale];
    context.imageSmoothingEnabled = false;
    context.save();
    context.beginPath();
    context.rect(0, 0, size.width, size.height);
    context.clip();
    context.drawImage(picture, x, y, picture.width * pixels, picture.height * pixels);
    context.restore();
  }

  private picture(level: number): HTMLCanvasElement {
    while (this.levels.length <= level)
      this.levels.push(halved(this.levels[this.levels.length - 1]));
    this.pictures[level] ??= pictureOf(this.levels[level], this.colors);
    return this.pictures[level];
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
      result[row * half.columns + column] = commonest(
        kinds[at],
        kinds[at + 1],
        kinds[below],
        kinds[below + 1],
      );
    }
  }
  return { ...half, kinds: result };
}

function commonest(a: number, b: number, c: number, d: number): number {
  // Behind the last cell: NONE follows NONE, and is no kind.
  if (d === NONE) return a === NONE ? NONE : Math.max(a, b === NONE ? 0 : b, c === NONE ? 0 : c);
  if (a === b && c === d) return Math.max(a, c);
  if (a === b || a === c || a === d) return a;
  if (b === c || b === d) return b;
  return c === d ? c : Math.max(a, b, c, d);
}
