// What can be typed, as plain records out of commander's commands: the completions of all shells
// are made from them. What a value may be follows from its name in the help.
import type { Argument, Command, Option } from "commander";

/** What stands at a place: words to choose from, or a kind of thing that the shell knows of. */
export type Place = { kind: "words"; words: readonly string[] } | { kind: PlaceKind };

/** `image` is one inside the archive that was named; `guest` is NAME=unix:PATH. */
export type PlaceKind =
  | "file"
  | "directory"
  | "image"
  | "process"
  | "group"
  | "socket"
  | "guest"
  | "other";

export interface OptionWords {
  /** "-o" and "--output", or one of them. */
  flags: readonly string[];
  text: string;
  /** Undefined for an option without a value. */
  value: { name: string; place: Place; isVariadic: boolean } | undefined;
  isRepeatable: boolean;
  /** Everything else makes no sense beside it: --help. */
  isAlone: boolean;
}

export interface ArgumentWords {
  name: string;
  place: Place;
  isVariadic: boolean;
}

export interface CommandWords {
  /** "tunnel source"; empty for pagefold itself. */
  path: string;
  /** The last word of the path, and its aliases. */
  names: readonly string[];
  text: string;
  options: readonly OptionWords[];
  arguments: readonly ArgumentWords[];
  commands: readonly CommandWords[];
}

/** Values that are called the same are the same; `other` is what nobody can guess. */
const KINDS: Readonly<Record<string, PlaceKind>> = {
  archive: "file",
  image: "file",
  images: "file",
  file: "file",
  path: "file",
  sums: "file",
  old: "file",
  new: "file",
  dir: "directory",
  pid: "process",
  group: "group",
  socket: "socket",
  address: "socket",
  "name=unix:path": "guest",
};

/** The words of a command and of all below it. */
export function wordsOf(
  command: Command,
  path: readonly string[] = [],
  parent: Command = command,
): CommandWords {
  const help = command.createHelp();
  const commands = help.visibleCommands(command);
  return {
    path: path.join(" "),
    names: namesOf(command),
    text: command.summary() || command.description(),
    options: help.visibleOptions(command).map(optionWords),
    arguments: command.registeredArguments.map((argument) =>
      argumentWords(command, argument, parent),
    ),
    commands: commands.map((one) => wordsOf(one, [...path, one.name()], command)),
  };
}

/** Itself and every command below it. */
export function allCommands(command: CommandWords): CommandWords[] {
  return [command, ...command.commands.flatMap(allCommands)];
}

function optionWords(option: Option): OptionWords {
  const { short, long, description, required, optional, variadic } = option;
  const [, name = ""] = /[<[](.+?)(?:\.\.\.)?[>\]]/.exec(option.flags) ?? [];
  const isImage = (variadic && name === "names") || long === "--image";
  const kind = isImage ? "image" : (KINDS[name] ?? "other");
  const place: Place = option.argChoices ? { kind: "words", words: option.argChoices } : { kind };
  return {
    flags: [short, long].filter((flag) => flag !== undefined),
    text: description,
    value: required || optional ? { name, place, isVariadic: variadic } : undefined,
    // A parser that is told what was parsed before adds to it.
    isRepeatable: variadic || (!option.argChoices && (option.parseArg?.length ?? 0) > 1),
    isAlone: long === "--help" || long === "--version",
  };
}

function argumentWords(command: Command, argument: Argument, parent: Command): ArgumentWords {
  const name = argument.name();
  return { name, place: placeOf(command, argument, parent), isVariadic: argument.variadic };
}

function placeOf(command: Command, argument: Argument, parent: Command): Place {
  const name = argument.name();
  if (argument.argChoices) return { kind: "words", words: argument.argChoices };
  // What `help` gives help of.
  if (name === "verb") return { kind: "words", words: parent.commands.flatMap(namesOf) };
  // Images are named behind the archive that they are in.
  const [first] = command.registeredArguments;
  const isImage = first.name() === "archive" && /^names?$/.test(name);
  return { kind: isImage ? "image" : (KINDS[name] ?? "other") };
}

const namesOf = (command: Command) => [command.name(), ...command.aliases()];
