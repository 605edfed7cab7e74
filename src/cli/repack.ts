// pagefold repack: the live content of an archive into a new one, without what was dropped.
import { type Command, Option } from "commander";
import { UsageError } from "./failure.ts";
import { refuseStdin } from "./inputs.ts";
import { type KeyOption, keyOption, readKey } from "./keyfile.ts";
import {
  addExamples,
  addWorkOptions,
  forceOption,
  type LevelOption,
  levelOption,
  outputOption,
  type WorkOptions,
} from "./options.ts";
import { openOutput, refuseInputs } from "./outputs.ts";
import { showPacked } from "./packing.ts";
import { withEngine } from "./work.ts";

type Options = WorkOptions &
  LevelOption &
  KeyOption & {
    output: string;
    force?: boolean;
    drop?: string[];
    newKeyFile?: string;
    unseal?: boolean;
  };

export function defineRepack(command: Command): void {
  command
    .argument("<archive>", "an archive that stays as it is")
    .addOption(outputOption())
    .addOption(forceOption("an existing archive"))
    .option("--drop <names...>", "images to leave out")
    .addOption(levelOption())
    .addOption(keyOption("key of the archive, and of the new one"))
    .option("--new-key-file <file>", "seal the new archive with this key")
    .addOption(new Option("--unseal", "the new archive is not sealed").conflicts("newKeyFile"))
    .action(repack);
  addWorkOptions(command, "one line per image");
  addExamples(command, [
    ["pagefold repack fleet.pfa -o tidy.pfa", "pages of an image side by side again"],
    [
      "pagefold repack vm.pfa --key-file old.key --new-key-file new.key -o b.pfa",
      "the same content under another key",
    ],
    ["pagefold repack fleet.pfa -o small.pfa --drop vm0.raw vm1.raw", "without two images"],
  ]);
}

async function repack(archive: string, options: Options): Promise<void> {
  if (options.json && options.output === "-") {
    throw new UsageError("--json and the archive cannot both go to stdout");
  }
  refuseStdin(archive, "repack");
  const { drop = [], level, keyFile, newKeyFile, unseal } = options;
  const key = await readKey(keyFile);
  const newKey = unseal ? (false as const) : await readKey(newKeyFile);
  const output = await openOutput(options.output, options.force);
  await refuseInputs(output.path, [{ name: archive, path: archive }]);
  try {
    const report = await withEngine("repack", options, (engine, hooks) =>
      engine.repack(archive, output.to, { drop, level, key, newKey, ...hooks }),
    );
    await showPacked("repack", output.path, report, options);
  } finally {
    await output.close();
  }
}
