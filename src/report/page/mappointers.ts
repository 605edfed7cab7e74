// Turns what mice, pens and fingers do on a canvas into few intentions. A wheel enlarges only where
// that was asked for: with Ctrl (which a pinch on a touchpad says too), or on a map with focus.

type Point = readonly [x: number, y: number];

export interface PointerIntentions {
  hover(point: Point | undefined): void;
  pick(point: Point): void;
  drag(dx: number, dy: number): void;
  zoom(factor: number, around: Point): void;
  isEnlarged(): boolean;
}

/** Further than this, a press is a drag. */
const SLACK_PIXELS = 4;
/** Of a wheel in lines or pages. */
const LINE_PIXELS = 16;
const PAGE_PIXELS = 400;

export function listenToPointers(canvas: HTMLCanvasElement, intentions: PointerIntentions): void {
  const down = new Map<number, Point>();
  let isDragged = false;
  const pointOf = (event: MouseEvent): Point => {
    const { left, top } = canvas.getBoundingClientRect();
    return [event.clientX - left - canvas.clientLeft, event.clientY - top - canvas.clientTop];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    down.set(event.pointerId, pointOf(event));
    isDragged = down.size > 1;
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const point = pointOf(event);
    const before = down.get(event.pointerId);
    if (before === undefined) return intentions.hover(point);
    if (down.size === 2) {
      pinch([...down.values()], before, point, intentions);
    } else if (intentions.isEnlarged()) {
      isDragged ||= distance(before, point) > SLACK_PIXELS;
      if (!isDragged) return;
      intentions.drag(point[0] - before[0], point[1] - before[1]);
    }
    down.set(event.pointerId, point);
  });
  const lift = (event: PointerEvent): void => {
    const wasDown = down.delete(event.pointerId);
    if (wasDown && !isDragged && event.type === "pointerup") intentions.pick(pointOf(event));
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("pointerleave", () => intentions.hover(undefined));
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && document.activeElement !== canvas) return;
      event.preventDefault();
      const unit = [1, LINE_PIXELS, PAGE_PIXELS][event.deltaMode];
      intentions.zoom(2 ** ((-event.deltaY * unit) / (event.ctrlKey ? 100 : 240)), pointOf(event));
    },
    { passive: false },
  );
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

/** One of two fingers moved from `before` to `after`: what is between them stays between them. */
function pinch(points: Point[], before: Point, after: Point, intentions: PointerIntentions): void {
  const other = points.find((point) => point !== before) ?? before;
  const span = distance(before, other);
  if (span > 0) {
    const middle: Point = [(after[0] + other[0]) / 2, (after[1] + other[1]) / 2];
    intentions.zoom(distance(after, other) / span, middle);
  }
  intentions.drag((after[0] - before[0]) / 2, (after[1] - before[1]) / 2);
}
