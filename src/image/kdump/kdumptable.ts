// The table of a dump as operations of a woven image: rows that follow from the lengths of their
// data, and the bytes of those that do not.
import type { WeaveLayer } from "../../wire/weave.ts";
import { MAX_WEAVE_ROWS, ROW_BYTES } from "../../wire/weaverows.ts";
import type { KdumpRow } from "./kdumprows.ts";

type PlainRow = Pick<KdumpRow, "offset" | "size" | "flags">;

const MAX_OFFSET = 2 ** 50;
/** Of what a compressor makes of a page. */
const MAX_SIZE = 1 << 17;
const NO_ROW: PlainRow = { offset: 0, size: 0, flags: 0 };

export class KdumpTable {
  private readonly layer: WeaveLayer;
  private readonly pageBytes: number;
  /** All data of rows so far lies before. */
  private end: number;
  private flags: number | undefined;
  private offset: number | undefined;
  private shared: PlainRow | undefined;
  private sizes: number[] = [];
  private packed: boolean[] = [];

  /** Data begins at `start`. */
  constructor(layer: WeaveLayer, pageBytes: number, start: number) {
    this.layer = layer;
    this.pageBytes = pageBytes;
    this.end = start;
  }

  /** The next row, and its bytes. */
  add(row: KdumpRow, bytes: Uint8Array): void {
    if (!this.isRegular(row)) {
      this.flush();
      this.layer.literal(bytes.subarray(0, ROW_BYTES));
    } else if (row.offset < this.end) {
      if (this.shared && !isSame(this.shared, row)) this.flush();
      this.shared = row;
      this.push(0, false);
    } else this.addNext(row);
  }

  flush(): void {
    const { sizes, packed, pageBytes } = this;
    if (sizes.length === 0) return;
    const shared = this.shared ?? NO_ROW;
    this.layer.rows({
      pageBytes,
      flags: this.flags ?? 0,
      offset: this.offset ?? 0,
      shared: { offset: shared.offset, size: shared.size, flags: shared.flags },
      sizes,
      packed,
    });
    this.sizes = [];
    this.packed = [];
    this.flags = undefined;
    this.offset = undefined;
    this.shared = undefined;
  }

  /** Whether an operation can say it. */
  private isRegular({ offset, size, flags, pageFlags }: KdumpRow): boolean {
    if (pageFlags !== 0 || offset > MAX_OFFSET || size === 0 || size > MAX_SIZE) return false;
    return flags !== 0 || size === this.pageBytes || offset < this.end;
  }

  /** A row whose data does not lie before. */
  private addNext(row: KdumpRow): void {
    const isPacked = row.flags !== 0;
    const isOther = isPacked && (this.flags ?? row.flags) !== row.flags;
    const isApart = this.offset !== undefined && row.offset !== this.end;
    if (isOther || isApart) this.flush();
    this.offset ??= row.offset;
    if (isPacked) this.flags = row.flags;
    this.end = row.offset + row.size;
    this.push(row.size, isPacked);
  }

  private push(size: number, isPacked: boolean): void {
    this.sizes.push(size);
    this.packed.push(isPacked);
    if (this.sizes.length === MAX_WEAVE_ROWS) this.flush();
  }
}

function isSame(a: PlainRow, b: PlainRow): boolean {
  return a.offset === b.offset && a.size === b.size && a.flags === b.flags;
}
