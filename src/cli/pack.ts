// pagefold pack: images into a new archive, a pipe or a device.
import type { Command } from "commander";
import { UsageError } from "./failure.ts";
import { packInputs } from "./inputs.ts";
import { addExamples, forceOption, outputOption } from "./options.ts";
import { openOutput, refuseInputs } from "./outputs.ts";
import { addPackOptions, type PackWords, packOptions, showPacked } from "./packing.ts";
import { withEngine } from "./work.ts";

type Options = PackWords & { output: string; force?: boolean };

export function definePack(command: Command): void {
  command
    .argument("[images...]", "files, folders of CRIU, or - for stdin")
    .addOption(outputOption())
    .addOption(forceOption("an existing archive"))
    .action(pack);
  addPackOptions(command, "seal the archive with this key: 32 bytes, or 64 hex digits");
  addExamples(command, [
    ["pagefold pack vm*.raw -o fleet.pfa", "what several images share is stored once"],
    [
      "pagefold pack */mem.raw -o - | ssh host pagefold unpack - -C /restore",
      "names are relative to the deepest common directory",
    ],
    [
      "pagefold pack vm.raw.zst -o vm.pfa",
      "what is in gzip, LZ4 or zstd is read; its name is vm.raw",
    ],
    ["pagefold pack vm.kdump criu-dump/ -o all.pfa", "dumps, and folders of CRIU images"],
    [
      "pagefold pack vm.raw -o vm.pfa --key-file vm.key",
      "head -c 32 /dev/random >vm.key made the key; nobody reads vm.pfa without",
    ],
    ["xzcat vm.xz | pagefold pack - --name vm.raw -o vm.pfa", "an image from stdin"],
  ]);
}

async function pack(words: string[], options: Options): Promise<void> {
  if (options.json && options.output === "-") {
    throw new UsageError("--json and the archive cannot both go to stdout");
  }
  const inputs = await packInputs(words, options);
  const settings = await packOptions(inputs, options);
  const output = await openOutput(options.output, options.force);
  await refuseInputs(output.path, inputs);
  try {
    const report = await withEngine("pack", options, (engine, hooks) =>
      engine.pack(inputs, output.to, { ...settings, ...hooks }),
    );
    await showPacked("pack", output.path, report, options);
  } finally {
    await output.close();
  }
}
