// The verbs and their help. Only the verb that was asked for is loaded, for the start of the
// process is part of its time.
import { Command, CommanderError, Help } from "commander";
import { UsageError } from "./failure.ts";
import { print } from "./streams.ts";

/** Adds arguments, options and the action to the command of a verb. */
export type DefineVerb = (command: Command) => void;

interface Verb {
  name: string;
  alias?: string;
  group: string;
  usage: string;
  summary: string;
  load(): Promise<DefineVerb>;
}

const ARCHIVES = "Make and unmake archives:";
const LOOK = "Look inside:";
const LIVE = "Live processes:";
const MIGRATE = "Guests that run:";
const HELP_COLUMNS = 80;

const VERBS: readonly Verb[] = [
  {
    name: "pack",
    alias: "create",
    group: ARCHIVES,
    usage: "[options] IMAGE… -o A.pfa",
    summary: "fold images into a new archive",
    load: async () => (await import("./pack.ts")).definePack,
  },
  {
    name: "append",
    group: ARCHIVES,
    usage: "[options] A.pfa IMAGE…",
    summary: "add images to an archive",
    load: async () => (await import("./append.ts")).defineAppend,
  },
  {
    name: "unpack",
    alias: "extract",
    group: ARCHIVES,
    usage: "[options] A.pfa [NAME…]",
    summary: "write images back to files",
    load: async () => (await import("./unpack.ts")).defineUnpack,
  },
  {
    name: "repack",
    group: ARCHIVES,
    usage: "[options] A.pfa -o B.pfa",
    summary: "write the live content of an archive anew",
    load: async () => (await import("./repack.ts")).defineRepack,
  },
  {
    name: "list",
    alias: "ls",
    group: LOOK,
    usage: "[options] A.pfa",
    summary: "show the images of an archive",
    load: async () => (await import("./list.ts")).defineList,
  },
  {
    name: "verify",
    alias: "check",
    group: LOOK,
    usage: "[options] A.pfa",
    summary: "read everything and check every checksum",
    load: async () => (await import("./verify.ts")).defineVerify,
  },
  {
    name: "inspect",
    group: LOOK,
    usage: "[options] IMAGE…|A.pfa",
    summary: "count zero, duplicate and similar pages",
    load: async () => (await import("./inspect.ts")).defineInspect,
  },
  {
    name: "diff",
    group: LOOK,
    usage: "[options] OLD NEW",
    summary: "show what changed, or write the difference",
    load: async () => (await import("./diff.ts")).defineDiff,
  },
  {
    name: "cat",
    group: LOOK,
    usage: "[options] A.pfa NAME",
    summary: "write a range of an image to stdout",
    load: async () => (await import("./cat.ts")).defineCat,
  },
  {
    name: "serve",
    group: LOOK,
    usage: "[options] A.pfa",
    summary: "give images to other programs, over HTTP and NBD",
    load: async () => (await import("./serve.ts")).defineServe,
  },
  {
    name: "capture",
    group: LIVE,
    usage: "[options] PID -o FILE",
    summary: "write the memory of a process to a file",
    load: async () => (await import("./capture.ts")).defineCapture,
  },
  {
    name: "tunnel",
    group: MIGRATE,
    usage: "source|target [options]",
    summary: "migrate a gang of QEMU guests",
    load: async () => (await import("./tunnel.ts")).defineTunnel,
  },
  {
    name: "replicate",
    group: MIGRATE,
    usage: "primary|backup|status|resume|release [options]",
    summary: "keep checkpoints of a QEMU guest at a backup",
    load: async () => (await import("./replicate.ts")).defineReplicate,
  },
];

const AFTER = `
An image named - is stdin; the output - is stdout. Sizes take KiB, MiB, GiB, 0x.
Exit codes: 0 done, 1 failed, 2 usage, 3 content is not what its checksum says,
4 a guest was handed over and nobody knows whether it arrived,
130 and 143 ended by a signal, 141 nobody reads stdout any more.`;

/** Runs one command line; rejects with what went wrong. */
export async function runProgram(words: readonly string[], version: string): Promise<void> {
  if (words.length === 0) throw new UsageError("no verb was given");
  const wanted = words[0] === "help" ? words[1] : words[0];
  const help: string[] = [];
  const program = new Command("pagefold")
    .description("Folds memory images of virtual machines and processes into archives.")
    .version(version, "-V, --version")
    .exitOverride()
    .configureOutput({ outputError: () => undefined, writeOut: (text) => help.push(text) })
    .configureHelp({ helpWidth: Math.min(process.stdout.columns ?? HELP_COLUMNS, HELP_COLUMNS) })
    .addHelpText("after", AFTER);
  for (const verb of VERBS) {
    const command = program.command(verb.name).summary(verb.summary).usage(verb.usage);
    command.description(`${sentence(verb.summary)}.`).helpGroup(verb.group);
    if (verb.alias) command.alias(verb.alias);
    if (verb.name === wanted || verb.alias === wanted) (await verb.load())(command);
  }
  program.configureHelp({ ...program.configureHelp(), subcommandTerm: shortTerm(program) });
  try {
    await program.parseAsync(words, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError) || error.exitCode !== 0) throw error;
  }
  // Help is thrown, after it was said.
  if (help.length > 0) await print(help.join(""));
}

const sentence = (text: string) => text[0].toUpperCase() + text.slice(1);

/** In the list of verbs their names are enough; the usage lines would not fit. */
function shortTerm(program: Command): (command: Command) => string {
  return (command) => {
    if (command.parent !== program) return new Help().subcommandTerm(command);
    return [command.name(), ...command.aliases()].join(", ");
  };
}
