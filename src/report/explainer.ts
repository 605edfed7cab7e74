// Looks at every page that is folded and says in the end where the bytes went. It decides nothing
// and writes nothing; what it keeps is bounded by the number of images and of distinct pages.
import type { PackReport } from "../api.ts";
import { PagefoldError } from "../core/errors.ts";
import { frameCountOf } from "../core/extent.ts";
import type { ExplainedImage, Explanation } from "../explainapi.ts";
import type { ForwardImage, ImageFile } from "../image/opened.ts";
import { NO_ENTRY } from "../kernels/layout.ts";
import { type ObservedPages, PageFate, type PageObserver } from "../pipeline/observer.ts";
import { emptyCounts, type FrameCounts } from "../wire/imagehead.ts";
import { addressRanges } from "./addresses.ts";
import { DENSE, kindOf } from "./kinds.ts";
import { PageMap } from "./pagemap.ts";
import { RepeatedPages } from "./repeated.ts";
import { Sharing } from "./sharing.ts";
import { stepsOf } from "./steps.ts";

/** More would be no page that anybody reads: each image is a map, a row and a column. */
export const MAX_EXPLAINED_IMAGES = 128;
/** Cells of all maps together. */
const MAX_CELLS = 1 << 20;
/** Ranges of addresses of all images together. */
const MAX_ADDRESS_RANGES = 1 << 14;
const MAX_ENTROPY_REGIONS = 256;

type OpenInput = ImageFile | ForwardImage | undefined;

export class Explainer implements PageObserver {
  private readonly sharing: Sharing;
  private readonly repeated: RepeatedPages;
  private readonly imageCount: number;
  private readonly formats: (string | undefined)[] = [];
  private readonly maps: PageMap[] = [];
  private readonly densePages: number[] = [];
  private deltaBytes = 0;

  constructor(imageCount: number) {
    if (imageCount > MAX_EXPLAINED_IMAGES) {
      const most = `at most ${MAX_EXPLAINED_IMAGES} are explained together`;
      throw new PagefoldError("LIMIT", `${imageCount} images: ${most}`);
    }
    this.imageCount = imageCount;
    this.sharing = new Sharing(imageCount);
    this.repeated = new RepeatedPages(this.sharing);
  }

  begin(files: readonly OpenInput[]): void {
    const framesPerCell = scaleOf(files);
    const rangeLimit = Math.floor(MAX_ADDRESS_RANGES / this.imageCount);
    for (const file of files) {
      this.formats.push(file?.format);
      this.densePages.push(0);
      const addresses = file?.fd === undefined ? [] : addressRanges(file, rangeLimit);
      this.maps.push(
        file?.segments === undefined
          ? new PageMap(1, Math.floor(MAX_CELLS / this.imageCount), addresses)
          : new PageMap(framesPerCell, MAX_CELLS, addresses),
      );
    }
  }

  pages(pages: ObservedPages): void {
    const { image, fates, entries, entropies, pageCount } = pages;
    const { sharing, repeated } = this;
    const map = this.maps[image];
    for (let page = 0; page < pageCount; page++) {
      const kind = kindOf(fates[page], entropies[page]);
      map.add(kind, entropies[page]);
      if (kind === DENSE) this.densePages[image]++;
      const content = entries[page];
      if (content !== NO_ENTRY) {
        const count = sharing.add(content, image);
        if (count > 1) repeated.add(pages, page, count);
      } else if (fates[page] === PageFate.UNIFORM) {
        repeated.addUniform(pages, page);
      }
    }
    for (const cluster of pages.clusters) {
      if (cluster.isDeltas) this.deltaBytes += pages.contentBytes(cluster);
    }
  }

  /** What `report` says of the whole, with what was seen of its pages. */
  explanation(report: PackReport): Explanation {
    const { shared, own } = this.sharing.matrix();
    const images = report.images.map((image, i): ExplainedImage => {
      const { name, byteLength, frameCount, counts, storedBytes } = image;
      return {
        name,
        format: this.formats[i],
        ...(image.decompressed === undefined ? {} : { decompressed: image.decompressed }),
        byteLength,
        frameCount,
        counts,
        densePages: this.densePages[i],
        storedBytes,
        distinctPages: shared[i][i],
        ownPages: own[i],
        entropy: this.maps[i].entropy(MAX_ENTROPY_REGIONS),
      };
    });
    const { inputBytes, outputBytes, unlistedPages, elapsedMs } = report;
    const counts = sumOf(images.map((image) => image.counts));
    const storedBytes = images.reduce((sum, image) => sum + image.storedBytes, 0);
    const { deltaBytes, maps } = this;
    return {
      images,
      steps: stepsOf({ counts, deltaBytes, storedBytes, outputBytes }),
      sharing: shared,
      repeated: this.repeated.list(),
      inputBytes,
      outputBytes,
      unlistedPages,
      elapsedMs,
      maps,
    };
  }
}

/** Frames of a cell, a power of two, so that all images of known size together fit. */
function scaleOf(files: readonly OpenInput[]): number {
  const frameCounts = files.map((file) => (file?.segments ? frameCountOf(file.segments) : 0));
  for (let framesPerCell = 1; ; framesPerCell *= 2) {
    const cells = frameCounts.reduce((sum, frames) => sum + Math.ceil(frames / framesPerCell), 0);
    if (cells <= MAX_CELLS) return framesPerCell;
  }
}

function sumOf(all: readonly FrameCounts[]): FrameCounts {
  const sum = emptyCounts();
  for (const counts of all) {
    for (const key of Object.keys(sum) as (keyof FrameCounts)[]) sum[key] += counts[key];
  }
  return sum;
}
