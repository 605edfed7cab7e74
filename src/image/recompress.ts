// Pages compressed as other programs compress them, for files that are put together again.
import { PagefoldError } from "../core/errors.ts";
import { ZlibPages } from "../kernels/deflate.ts";
import { compileKernels } from "../kernels/load.ts";
import type { Recompress } from "./wovenfile.ts";

let zlib: ZlibPages | undefined;

export const recompress: Recompress = (codec, pages, pageBytes) => {
  if (codec === "zlib") {
    zlib ??= new ZlibPages(compileKernels());
    return zlib.deflate(pages, pageBytes);
  }
  throw new PagefoldError("FORMAT", `pages that ${codec} has compressed are not read yet`);
};
