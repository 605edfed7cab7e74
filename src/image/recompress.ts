// Pages compressed as other programs compress them, for files that are put together again.
import { PagefoldError } from "../core/errors.ts";
import type { Recompress } from "./wovenfile.ts";

export const recompress: Recompress = (codec) => {
  throw new PagefoldError("FORMAT", `pages that ${codec} has compressed are not read yet`);
};
