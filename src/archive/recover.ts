// An index that goes on where it is damaged: what the archive's own index does not tell any more is
// taken from a scan of the batches, which happens once and only when it is needed.
import { PagefoldError } from "../core/errors.ts";
import type { ClusterSeals } from "../core/seal.ts";
import type { ClusterPlace } from "../wire/indexhead.ts";
import type { ArchiveIndex, DirectoryIndex, IndexedImage, IndexLeaf } from "./index.ts";
import { type ScannedIndex, type ScanSource, scanArchive } from "./scan.ts";

export class RecoveringIndex implements ArchiveIndex {
  readonly images: readonly IndexedImage[];
  readonly clusterCount: number;
  private readonly own: DirectoryIndex | undefined;
  private readonly scannedSeals: ClusterSeals | undefined;
  private readonly source: ScanSource;
  private readonly onFault: (fault: string) => void;
  private readonly told = new Set<string>();
  private scanned: Promise<ScannedIndex> | undefined;

  private constructor(
    own: DirectoryIndex | undefined,
    scanned: ScannedIndex | undefined,
    source: ScanSource,
    onFault: (fault: string) => void,
  ) {
    this.own = own;
    this.scanned = scanned && Promise.resolve(scanned);
    this.source = source;
    this.onFault = onFault;
    this.scannedSeals = scanned?.seals;
    this.images = own?.images ?? scanned?.images ?? [];
    this.clusterCount = own?.clusterCount ?? scanned?.clusterCount ?? 0;
  }

  /** Without an index of its own the archive is scanned now. */
  static async open(
    own: DirectoryIndex | undefined,
    source: ScanSource,
    onFault: (fault: string) => void,
  ): Promise<RecoveringIndex> {
    const scanned = own ? undefined : await scanArchive(source, onFault);
    return new RecoveringIndex(own, scanned, source, onFault);
  }

  get seals(): ClusterSeals | undefined {
    return this.own ? this.own.seals : this.scannedSeals;
  }

  /** True when the archive's own index is used. */
  get hasDirectory(): boolean {
    return this.own !== undefined;
  }

  async leafAt(image: number, frame: number, signal?: AbortSignal): Promise<IndexLeaf> {
    const { own } = this;
    if (!own) return (await this.scan()).leafAt(image, frame);
    try {
      return await own.leafAt(image, frame, signal);
    } catch (error) {
      this.tell(error);
    }
    const leaf = await (await this.scan()).leafAt(image, frame);
    if (leaf.lost === undefined) return leaf;
    // What the scan has lost may be known again to the next leaf.
    const { first, count } = own.leafRange(image, frame);
    const end = Math.min(leaf.firstFrame + leaf.frameCount, first + count);
    return { ...leaf, firstFrame: frame, frameCount: end - frame };
  }

  async placeOf(cluster: number, signal?: AbortSignal): Promise<ClusterPlace> {
    return (await this.placesFrom(cluster, signal))[0];
  }

  async placesFrom(cluster: number, signal?: AbortSignal): Promise<readonly ClusterPlace[]> {
    if (this.own) {
      try {
        return await this.own.placesFrom(cluster, signal);
      } catch (error) {
        this.tell(error);
      }
    }
    return (await this.scan()).placesFrom(cluster);
  }

  private scan(): Promise<ScannedIndex> {
    // Its faults are those of the batches: whoever walks them hears of them there.
    this.scanned ??= scanArchive(this.source, () => undefined);
    return this.scanned;
  }

  private tell(error: unknown): void {
    if (!(error instanceof PagefoldError && error.code === "DAMAGED")) throw error;
    if (this.told.has(error.message)) return;
    this.told.add(error.message);
    this.onFault(error.message);
  }
}
