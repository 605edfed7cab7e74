// Pages compressed as other programs compress them, for files that are put together again.
import { ZlibPages } from "../kernels/deflate.ts";
import { compileKernels } from "../kernels/load.ts";
import { SNAPPY_RELEASES, SnappyPages, type SnappyRelease } from "../kernels/snappy.ts";
import type { Recompress } from "./wovenfile.ts";

let zlib: ZlibPages | undefined;
let snappy: SnappyPages | undefined;

export const recompress: Recompress = (
  codec,
  pages,
  pageBytes,
  release = SNAPPY_RELEASES["1.1.9"],
) => {
  if (codec === "zlib") {
    zlib ??= new ZlibPages(compileKernels());
    return zlib.deflate(pages, pageBytes);
  }
  snappy ??= new SnappyPages(compileKernels());
  return snappy.compress(pages, pageBytes, release as SnappyRelease);
};
