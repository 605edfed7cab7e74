// The public interface of pagefold. Re-exports only.
export type * from "./api.ts";
export { openBase } from "./archive/base.ts";
export { openArchive } from "./archive/reader.ts";
export { type ErrorCode, PagefoldError, reasonOf } from "./core/errors.ts";
export { openEngine } from "./engine.ts";
export {
  type CaptureFormat,
  type CaptureOptions,
  type CaptureProgress,
  type CaptureReport,
  captureProcess,
} from "./image/capture.ts";
export { compressedPaths } from "./image/compressed.ts";
export type { PageSink, PageSource } from "./image/image.ts";
export { imageNames } from "./image/names.ts";
export type { FrameCounts } from "./wire/imagehead.ts";
