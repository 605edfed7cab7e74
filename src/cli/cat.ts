// pagefold cat: bytes of one image to stdout, without unpacking the rest.
import { type Command, Option } from "commander";
import { openArchive, openBase, PagefoldError } from "../index.ts";
import { parseSize } from "./args.ts";
import { refuseStdin } from "./inputs.ts";
import { interrupt } from "./interrupt.ts";
import { type KeyOption, keyed, keyOption } from "./keyfile.ts";
import { addExamples, type BaseOption, baseOption } from "./options.ts";
import { refuseTerminal } from "./outputs.ts";
import { isTerminal, print } from "./streams.ts";

type Options = BaseOption & KeyOption & { offset: number; length?: number };

const PIECE_BYTES = 1 << 20;

export function defineCat(command: Command): void {
  command
    .argument("<archive>", "an archive in a file")
    .argument("<name>", "an image in it")
    .addOption(new Option("--offset <size>", "first byte").argParser(parseSize).default(0, "0"))
    .addOption(new Option("--length <size>", "bytes (default: to the end)").argParser(parseSize))
    .addOption(baseOption())
    .addOption(keyOption())
    .action(cat);
  addExamples(command, [
    ["pagefold cat fleet.pfa vm1.raw | cmp - vm1.raw", "a whole image"],
    ["pagefold cat fleet.pfa vm1.raw --offset 0x1000 --length 4KiB | xxd", "one page"],
  ]);
}

async function cat(path: string, name: string, options: Options): Promise<void> {
  refuseStdin(path, "cat");
  refuseTerminal(isTerminal("stdout"), "an image");
  const { key, base: input } = await keyed(options);
  await using archive = await openArchive(path, { key });
  const image = archive.image(name);
  const { offset, length = Math.max(0, image.byteLength - offset) } = options;
  const end = offset + length;
  if (end > image.byteLength) {
    const range = length === 0 ? `offset ${offset} is` : `bytes ${offset} to ${end - 1} are`;
    throw new PagefoldError("RANGE", `${name}: ${range} outside of its ${image.byteLength} bytes`);
  }
  const { signal } = interrupt;
  await using base = input && (await openBase(input, image, { signal }));
  const from = base ? { signal, base } : { signal };
  for (let at = offset; at < end; ) {
    // Pieces end at multiples of their size, so that no cluster is decoded for two of them in vain.
    const next = Math.min(end, at - (at % PIECE_BYTES) + PIECE_BYTES);
    await print(await image.readBytes(at, next - at, from));
    at = next;
  }
}
