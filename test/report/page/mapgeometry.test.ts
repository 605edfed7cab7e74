// Where cells are on a map, however it is moved and enlarged.
import { expect, test } from "vitest";
import {
  cellAfter,
  cellAt,
  clamped,
  cornerOf,
  revealing,
  shapeOf,
  wholeView,
  zoomed,
} from "../../../src/report/page/mapgeometry.ts";
import { randomSeed, seededRandom } from "../../support/random.ts";

const random = seededRandom(randomSeed("mapgeometry"));

test("rows are powers of two, and there is room for all cells", () => {
  for (const cells of [0, 1, 15, 16, 17, 65_536, 65_537, 1 << 20]) {
    for (const aspect of [1.25, 4, 16]) {
      const { columns, rows } = shapeOf(cells, aspect);
      expect(Math.log2(columns) % 1).toBe(0);
      expect(columns * rows).toBeGreaterThanOrEqual(cells);
      expect(columns * (rows - 1)).toBeLessThan(Math.max(cells, 1));
    }
  }
  expect(shapeOf(65_536, 4)).toEqual({ columns: 512, rows: 128, cellCount: 65_536 });
});

test("a point is in the cell whose corner is beside it, in any window", () => {
  for (let n = 0; n < 500; n++) {
    const shape = shapeOf(1 + random.int(100_000), 4);
    const width = 300 + random.int(900);
    const size = wholeView(shape, width);
    let view = clamped(size, shape, size);
    for (let step = random.int(6); step > 0; step--) {
      const point = [random.int(size.width), random.int(size.height)] as const;
      const before = cellAt(view, point, shape);
      view = zoomed(view, 0.5 + random.int(30) / 10, point, shape, size);
      expect(view.left).toBeGreaterThanOrEqual(0);
      expect(view.left + size.width / view.scale).toBeLessThanOrEqual(shape.columns + 1e-6);
      if (view.scale > size.scale * 1.01 && view.left > 0 && view.top > 0 && before !== undefined) {
        const { x, y } = cornerOf(view, before, shape);
        expect(x).toBeLessThanOrEqual(size.width);
        expect(y).toBeLessThanOrEqual(size.height);
      }
    }
    const cell = random.int(shape.cellCount);
    view = revealing(view, cell, shape, size);
    const { x, y } = cornerOf(view, cell, shape);
    const middle = [x + view.scale / 2, y + view.scale / 2] as const;
    if (middle[1] < size.height) expect(cellAt(view, middle, shape)).toBe(cell);
    expect(cellAt(view, [-1 - view.left * view.scale, 1], shape)).toBeUndefined();
  }
});

test("keys move within the cells that there are", () => {
  const shape = { columns: 16, rows: 3, cellCount: 40 };
  const after = (key: string, cell: number) => cellAfter(key, cell, shape, 2);
  expect(after("ArrowRight", 0)).toBe(1);
  expect(after("ArrowRight", 39)).toBe(39);
  expect(after("ArrowLeft", 0)).toBe(0);
  expect(after("ArrowDown", 3)).toBe(19);
  // There is no cell below, and the cursor keeps its column.
  expect(after("ArrowDown", 30)).toBe(30);
  expect(after("ArrowUp", 3)).toBe(3);
  expect(after("PageDown", 3)).toBe(35);
  expect(after("PageUp", 35)).toBe(3);
  expect(after("Home", 20)).toBe(0);
  expect(after("End", 20)).toBe(39);
  expect(after("a", 20)).toBeUndefined();
  expect(after("toString", 20)).toBeUndefined();
});
