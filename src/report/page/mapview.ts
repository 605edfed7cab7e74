// One map on its canvas: draws it, and lets it be read and enlarged by pointer, wheel, two fingers
// and keys. What a cell means is said by the caller.
import { element } from "./elements.ts";
import { onWidth, whenWanted } from "./figure.ts";
import {
  cellAfter,
  cellAt,
  clamped,
  cornerOf,
  type MapShape,
  type MapSize,
  type MapView,
  revealing,
  shapeOf,
  wholeView,
  zoomed,
} from "./mapgeometry.ts";
import { type Colors, MapPicture } from "./mappicture.ts";
import { listenToPointers } from "./mappointers.ts";

export interface MapOptions {
  readonly label: string;
  readonly kinds: Uint8Array;
  /** How many times wider than high, by the width there is. */
  readonly aspect: (width: number) => number;
  /** How many maps there are. */
  readonly count: number;
  readonly describe: (cell: number | undefined) => void;
  /** Told how many cells a row has. */
  readonly laidOut: (columns: number) => void;
}

const KEY_ZOOM = 1.5;
/** From so many pixels a cell on, lines tell cells apart. */
const GRID_PIXELS = 8;

export class MapCanvas {
  readonly canvas: HTMLCanvasElement;
  private readonly options: MapOptions;
  private shape: MapShape;
  private picture: MapPicture;
  private size: MapSize = { width: 0, height: 0 };
  private view: MapView = { scale: 1, left: 0, top: 0 };
  private cursor = 0;
  private hovered: number | undefined;
  private colors: Colors = [];
  private only: number | undefined;
  private lines = "";
  private frame = 0;
  private isWanted = false;

  constructor(place: HTMLElement, options: MapOptions) {
    this.options = options;
    this.canvas = element("canvas", {
      tabindex: "0",
      role: "application",
      "aria-roledescription": "page map",
      "aria-label": options.label,
      "aria-describedby": "map-keys",
    });
    this.shape = shapeOf(options.kinds.length, 4);
    this.picture = new MapPicture(options.kinds, this.shape);
    place.append(this.canvas);
    listenToPointers(this.canvas, {
      hover: (point) => this.hover(point),
      pick: (point) => this.pick(point),
      drag: (dx, dy) => this.drag(dx, dy),
      zoom: (factor, point) => this.zoom(factor, point),
      isEnlarged: () => this.isEnlarged,
    });
    this.canvas.addEventListener("keydown", (event) => this.press(event));
    this.canvas.addEventListener("focus", () => this.tell());
    this.canvas.addEventListener("blur", () => this.tell());
    onWidth(place, (width) => this.layOut(width));
    whenWanted(place, options.count, () => {
      this.isWanted = true;
      this.draw();
    });
  }

  /** Colours by kind, one for what is not shown, and one for lines. */
  paint(colors: Colors, only: number | undefined, lines: string): void {
    this.colors = colors;
    this.only = only;
    this.lines = lines;
    this.picture.paint(colors, only);
    this.draw();
  }

  get isEnlarged(): boolean {
    return this.view.scale > wholeView(this.shape, this.size.width).scale * 1.001;
  }

  /** Around the cursor, if that is seen, or the middle. */
  zoomBy(factor: number): void {
    const { x, y } = cornerOf(this.view, this.cursor, this.shape);
    const { width, height } = this.size;
    const isSeen =
      x >= 0 && y >= 0 && x < width && y < height && document.activeElement === this.canvas;
    this.zoom(factor, isSeen ? [x, y] : [width / 2, height / 2]);
  }

  showWhole(): void {
    this.show(wholeView(this.shape, this.size.width));
  }

  private layOut(width: number): void {
    const shape = shapeOf(this.options.kinds.length, this.options.aspect(width));
    if (shape.columns !== this.shape.columns) {
      this.shape = shape;
      this.picture = new MapPicture(this.options.kinds, shape);
      if (this.colors.length > 0) this.picture.paint(this.colors, this.only);
    }
    this.options.laidOut(shape.columns);
    const whole = wholeView(shape, width);
    this.size = { width: whole.width, height: whole.height };
    this.canvas.style.width = `${whole.width}px`;
    this.canvas.style.height = `${whole.height}px`;
    this.show(whole);
  }

  private show(view: MapView): void {
    this.view = clamped(view, this.shape, this.size);
    // One finger scrolls the page unless there is something to move.
    this.canvas.style.touchAction = this.isEnlarged ? "none" : "pan-y";
    this.canvas.dataset.scale = this.view.scale.toFixed(3);
    this.draw();
  }

  private zoom(factor: number, point: readonly [number, number]): void {
    this.show(zoomed(this.view, factor, point, this.shape, this.size));
  }

  private drag(dx: number, dy: number): void {
    const { scale, left, top } = this.view;
    this.show({ scale, left: left - dx / scale, top: top - dy / scale });
  }

  private hover(point: readonly [number, number] | undefined): void {
    this.hovered = point && cellAt(this.view, point, this.shape);
    this.tell();
  }

  private pick(point: readonly [number, number]): void {
    this.cursor = cellAt(this.view, point, this.shape) ?? this.cursor;
    this.canvas.focus({ preventScroll: true });
    this.tell();
  }

  private press(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const rows = Math.max(1, Math.floor(this.size.height / this.view.scale));
    const target = cellAfter(event.key, this.cursor, this.shape, rows);
    if (target !== undefined) {
      this.cursor = target;
      this.hovered = undefined;
      this.show(revealing(this.view, target, this.shape, this.size));
    } else if (event.key === "+" || event.key === "=") this.zoomBy(KEY_ZOOM);
    else if (event.key === "-") this.zoomBy(1 / KEY_ZOOM);
    else if (event.key === "0" || (event.key === "Escape" && this.isEnlarged)) this.showWhole();
    else return;
    event.preventDefault();
    this.tell();
  }

  private tell(): void {
    const hasFocus = document.activeElement === this.canvas;
    this.options.describe(this.hovered ?? (hasFocus ? this.cursor : undefined));
    this.draw();
  }

  private draw(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.drawNow());
  }

  private drawNow(): void {
    const { canvas, size, view, shape } = this;
    if (!this.isWanted || size.width === 0 || this.colors.length === 0) return;
    const ratio = window.devicePixelRatio;
    const [width, height] = [Math.round(size.width * ratio), Math.round(size.height * ratio)];
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const context = canvas.getContext("2d") as CanvasRenderingContext2D;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, size.width, size.height);
    this.picture.draw(context, view, size, ratio);
    if (view.scale >= GRID_PIXELS) this.drawGrid(context);
    if (document.activeElement === canvas) this.outline(context, this.cursor, 2);
    if (this.hovered !== undefined) this.outline(context, this.hovered, 1);
    canvas.dataset.columns = String(shape.columns);
  }

  private drawGrid(context: CanvasRenderingContext2D): void {
    const { width, height } = this.size;
    const { scale, left, top } = this.view;
    context.fillStyle = this.lines;
    for (let x = (Math.ceil(left) - left) * scale; x < width; x += scale) {
      context.fillRect(Math.round(x) - 0.5, 0, 1, height);
    }
    for (let y = (Math.ceil(top) - top) * scale; y < height; y += scale) {
      context.fillRect(0, Math.round(y) - 0.5, width, 1);
    }
  }

  /** A box around a cell that is seen on any colour, and is never too small to be seen. */
  private outline(context: CanvasRenderingContext2D, cell: number, width: number): void {
    const { x, y } = cornerOf(this.view, cell, this.shape);
    const side = Math.max(this.view.scale, 5);
    const [left, top] = [x + this.view.scale / 2 - side / 2, y + this.view.scale / 2 - side / 2];
    context.lineWidth = width + 2;
    context.strokeStyle = "#fff";
    context.strokeRect(left, top, side, side);
    context.lineWidth = width;
    context.strokeStyle = "#000";
    context.strokeRect(left, top, side, side);
  }
}
