// Where the cells of a map are: rows of cells from left to right and top to bottom, seen through a
// window that can be moved and enlarged. Numbers only; nothing is drawn here.

/** The cells as they lie when nothing is enlarged. */
export interface MapShape {
  readonly columns: number;
  readonly rows: number;
  readonly cellCount: number;
}

/** The window: pixels of a cell, and the cell coordinates of its upper left corner. */
export interface MapView {
  readonly scale: number;
  readonly left: number;
  readonly top: number;
}

/** In CSS pixels. */
export interface MapSize {
  readonly width: number;
  readonly height: number;
}

/** A cell is not drawn larger. */
const MAX_CELL_PIXELS = 28;
const MIN_COLUMNS = 16;
/** … nor is a map of few cells as wide as the page. */
const MAX_FIRST_PIXELS = 20;

/** Columns are a power of two, so that rows are round sizes; about `aspect` for each row. */
export function shapeOf(cellCount: number, aspect: number): MapShape {
  const bits = Math.round(Math.log2(Math.sqrt(Math.max(1, cellCount) * aspect)));
  const columns = Math.max(MIN_COLUMNS, 2 ** bits);
  return { columns, rows: Math.max(1, Math.ceil(cellCount / columns)), cellCount };
}

/** The whole map in `width` pixels. */
export function wholeView(shape: MapShape, width: number): MapView & MapSize {
  const scale = Math.min(width / shape.columns, MAX_FIRST_PIXELS);
  return {
    scale,
    left: 0,
    top: 0,
    width: Math.round(scale * shape.columns),
    height: Math.max(1, Math.round(scale * shape.rows)),
  };
}

/** The nearest window that shows cells only, and no cell too large. */
export function clamped(view: MapView, shape: MapShape, size: MapSize): MapView {
  const least = Math.min(size.width / shape.columns, MAX_FIRST_PIXELS);
  const scale = Math.min(Math.max(view.scale, least), Math.max(least, MAX_CELL_PIXELS));
  const within = (at: number, cells: number, pixels: number) =>
    Math.min(Math.max(at, 0), Math.max(0, cells - pixels / scale));
  return {
    scale,
    left: within(view.left, shape.columns, size.width),
    top: within(view.top, shape.rows, size.height),
  };
}

/** Enlarged by `factor` around a point, which stays where it is as far as possible. */
export function zoomed(
  view: MapView,
  factor: number,
  [x, y]: readonly [x: number, y: number],
  shape: MapShape,
  size: MapSize,
): MapView {
  const { scale } = clamped({ ...view, scale: view.scale * factor }, shape, size);
  const left = view.left + x / view.scale - x / scale;
  const top = view.top + y / view.scale - y / scale;
  return clamped({ scale, left, top }, shape, size);
}

/** The cell at a point; undefined where there is none. */
export function cellAt(
  { scale, left, top }: MapView,
  [x, y]: readonly [x: number, y: number],
  { columns, rows, cellCount }: MapShape,
): number | undefined {
  const column = Math.floor(left + x / scale);
  const row = Math.floor(top + y / scale);
  if (column < 0 || column >= columns || row < 0 || row >= rows) return undefined;
  const cell = row * columns + column;
  return cell < cellCount ? cell : undefined;
}

/** Upper left corner of a cell in pixels. */
export function cornerOf({ scale, left, top }: MapView, cell: number, { columns }: MapShape) {
  const row = Math.floor(cell / columns);
  return { x: (cell - row * columns - left) * scale, y: (row - top) * scale };
}

/** Moved as little as possible so that a cell is seen. */
export function revealing(view: MapView, cell: number, shape: MapShape, size: MapSize): MapView {
  const row = Math.floor(cell / shape.columns);
  const column = cell - row * shape.columns;
  const [across, down] = [size.width / view.scale, size.height / view.scale];
  const left = Math.min(Math.max(view.left, column + 1 - across), column);
  const top = Math.min(Math.max(view.top, row + 1 - down), row);
  return clamped({ ...view, left, top }, shape, size);
}

/** Where a key takes the cursor; undefined for a key that does not move it. */
export function cellAfter(
  key: string,
  cell: number,
  { columns, cellCount }: MapShape,
  rowsInView: number,
): number | undefined {
  const steps: Record<string, number> = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    PageUp: -columns * rowsInView,
    PageDown: columns * rowsInView,
    Home: -cellCount,
    End: cellCount,
  };
  const step = Object.hasOwn(steps, key) ? steps[key] : undefined;
  if (step === undefined) return undefined;
  const target = cell + step;
  if (Math.abs(step) === columns) return target >= 0 && target < cellCount ? target : cell;
  return Math.min(Math.max(target, 0), cellCount - 1);
}
