// pagefold append: more images into an archive that is there; its images are not read again.
import type { Command } from "commander";
import { packInputs } from "./inputs.ts";
import { addExamples } from "./options.ts";
import { refuseInputs } from "./outputs.ts";
import { addPackOptions, type PackWords, packOptions, showPacked } from "./packing.ts";
import { withEngine } from "./work.ts";

export function defineAppend(command: Command): void {
  command
    .argument("<archive>", "an archive made by pack")
    .argument("[images...]", "files, or - for stdin")
    .action(append);
  addPackOptions(command);
  addExamples(command, [
    ["pagefold append fleet.pfa vm4.raw", "only what is new against vm0 … vm3 is stored"],
    [
      "find . -name '*.raw' -print0 | pagefold append A.pfa --files-from - -0",
      "any number of files, with any names",
    ],
  ]);
}

async function append(archive: string, words: string[], options: PackWords): Promise<void> {
  const inputs = await packInputs(words, options);
  await refuseInputs(archive, inputs);
  const settings = await packOptions(inputs, options);
  const report = await withEngine("append", options, (engine, hooks) =>
    engine.append(archive, inputs, { ...settings, ...hooks }),
  );
  await showPacked("append", archive, report, options);
}
