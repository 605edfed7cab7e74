// The verbs and their help. Only the verb that was asked for is loaded, for the start of the
// process is part of its time.
import { Command, CommanderError } from "commander";
import { EXIT_STATUS, UsageError, withVerbs } from "./failure.ts";
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
const HELP = "Help:";
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
  {
    name: "rack",
    group: MIGRATE,
    usage: "status URL",
    summary: "show what hosts of racks share",
    load: async () => (await import("./rack.ts")).defineRack,
  },
  {
    name: "completion",
    group: HELP,
    usage: "bash|zsh|fish",
    summary: "print what completes our words in a shell",
    load: async () => (await import("./completion.ts")).defineCompletion,
  },
];

const AFTER = `
An image named - is stdin; the output - is stdout. Sizes take KiB, MiB, GiB, 0x.

Exit status:
${EXIT_STATUS.map(([codes, meaning]) => `  ${codes.padEnd(9)}${meaning}`).join("\n")}

pagefold VERB --help shows its options and examples; man pagefold shows all.`;

/** Runs one command line; rejects with what went wrong. */
export async function runProgram(words: readonly string[], version: string): Promise<void> {
  if (words.length === 0) throw new UsageError("no verb was given");
  const help: string[] = [];
  const verb = words[0] === "help" ? words[1] : words[0];
  // Completions speak of every verb.
  const program = await commandTree(version, verb === "completion" ? "all" : { verb }, (text) =>
    help.push(text),
  );
  const { verbs, understood } = follow(program, words);
  try {
    await program.parseAsync(understood, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError) || error.exitCode !== 0) throw withVerbs(error, verbs);
  }
  // Help is thrown, after it was said.
  if (help.length > 0) await print(help.join(""));
}

/**
 * The verbs that words begin with, and words that commander understands: it knows `help` of one
 * verb only, and asked for the help of what does not exist it shows that of what does.
 */
function follow(program: Command, words: readonly string[]) {
  const verbs: string[] = [];
  let command = program;
  for (let next: Command | undefined = program; next; ) {
    command = next;
    const word = words[verbs.length];
    next = command.commands.find((one) => word === one.name() || one.aliases().includes(word));
    if (next) verbs.push(word);
  }
  const [word, ...rest] = words.slice(verbs.length);
  if (command.commands.length === 0) return { verbs, understood: words };
  if (word === "help") return follow(program, [...verbs, ...rest, "--help"]);
  if (word === undefined) {
    const names = command.commands.map((one) => one.name()).join(", ");
    throw withVerbs(new UsageError(`${verbs.join(" ")} what? One of ${names}`), verbs);
  }
  return { verbs, understood: word.startsWith("-") ? words : [...verbs, word] };
}

/** The commands as commander knows them, with the words of one verb, or of all. */
export async function commandTree(
  version: string,
  wanted: { verb: string | undefined } | "all",
  writeOut: (text: string) => void,
): Promise<Command> {
  const program = new Command("pagefold")
    .description("Folds memory images of virtual machines and processes into archives.")
    .usage("VERB [options] …")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .addHelpCommand(helpCommand())
    .exitOverride()
    .configureOutput({ outputError: () => undefined, writeOut })
    .configureHelp({
      helpWidth: Math.min(process.stdout.columns ?? HELP_COLUMNS, HELP_COLUMNS),
      subcommandTerm: namesOf,
    })
    .addHelpText("after", AFTER);
  for (const verb of VERBS) {
    const command = program.command(verb.name).summary(verb.summary).usage(verb.usage);
    command.description(`${sentence(verb.summary)}.`).helpGroup(verb.group);
    if (verb.alias) command.alias(verb.alias);
    const isWanted = wanted === "all" || [verb.name, verb.alias].includes(wanted.verb);
    if (isWanted) (await verb.load())(command.helpCommand(false));
  }
  return program;
}

/** For the list of verbs only: `follow` understands it. */
function helpCommand(): Command {
  const command = new Command("help").argument("[verb]").helpOption(false).helpGroup(HELP);
  return command.summary("show the help of a verb");
}

const sentence = (text: string) => text[0].toUpperCase() + text.slice(1);

/** In a list of verbs their names are enough; the usage lines would not fit. */
const namesOf = (command: Command) => [command.name(), ...command.aliases()].join(", ");
