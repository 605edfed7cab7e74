// Takes the memory out of an image file whose format is known.
import { PagefoldError } from "../../core/errors.ts";
import { formatOf, HEAD_BYTES } from "../formats.ts";
import type { StoredFile } from "../storedfile.ts";
import { type MemoryView, viewOfCore, viewOfLayout, viewOfLime, viewOfRaw } from "./memory.ts";
import { type SpoolFile, spoolMemory } from "./memoryspool.ts";

/**
 * The memory in `file`. Pages that have to be taken out of it are put into the file that `spool`
 * gives. FORMAT when the format is one that keeps no addresses, or is not known.
 */
export async function memoryOf(
  file: StoredFile,
  format: string,
  spool: () => Promise<SpoolFile>,
  { name, signal }: { name: string; signal?: AbortSignal | undefined },
): Promise<MemoryView> {
  const { read, byteLength } = file;
  const options = { name, signal };
  if (format === "raw") return viewOfRaw(read, byteLength);
  if (format === "elf-core") return viewOfCore(read, byteLength, name);
  if (format === "lime") return viewOfLime(read, byteLength, name);
  const head = new Uint8Array(HEAD_BYTES);
  const headBytes = await read(0, head);
  const found = formatOf(head.subarray(0, headBytes));
  const known = found?.format === format ? found : undefined;
  if (known?.kind === "placed") {
    const layout = await known.layout(read, byteLength);
    if (layout) return someOf(viewOfLayout(layout, (await known.memory?.(read)) ?? read), name);
  } else if (known?.kind === "stream") {
    const parts = known.parts(file.pieces(), options);
    return someOf(await spoolMemory(parts, await spool(), options), name);
  } else if (known) {
    const apart = await known.open(read, byteLength, options);
    if (apart) {
      const view = await spoolMemory(apart.parts(signal), await spool(), options);
      return someOf({ ...view, ...(await apart.core?.()) }, name);
    }
  }
  const fault = `is of format ${JSON.stringify(format)}, whose memory cannot be taken out of it`;
  throw new PagefoldError("FORMAT", `${name}: ${fault}`);
}

/** A guest that was saved without its memory (x-ignore-shared) is not one of zeros. */
function someOf(view: MemoryView, name: string): MemoryView {
  for (const _ of view.ranges()) return view;
  throw new PagefoldError("FORMAT", `${name}: holds no memory whose addresses are known`);
}
