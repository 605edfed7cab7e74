// The manual page of all verbs. Commands, options and examples are those of --help; what only a
// manual has room for is in words.ts.
import type { Argument, Command, Option } from "commander";
import { EXIT_STATUS } from "../../src/cli/failure.ts";
import { examplesOf, RUN_OPTIONS } from "../../src/cli/options.ts";
import {
  bold,
  entry,
  example,
  italic,
  paragraph,
  section,
  subsection,
  text,
  wrapped,
} from "./roff.ts";
import { DESCRIPTION, ENVIRONMENT, FILES, SEE_ALSO } from "./words.ts";

export function manualPage(program: Command, version: string, date: Date): string {
  const commands = program.commands.flatMap(withSubcommands);
  const shared = sharedOptions(commands);
  const blocks = [
    '.\\" Made from the commands by scripts/manual.ts.',
    `.TH PAGEFOLD 1 "${date.toISOString().slice(0, 10)}" "pagefold ${version}" "User Commands"`,
    section("Name"),
    text("pagefold - fold memory images of virtual machines and processes into archives"),
    section("Synopsis"),
    ...commands.filter(isLeaf).flatMap((command) => [usageOf(command), ".br"]),
    usageOf(program, "help | --help | --version"),
    section("Description"),
    wrapped(text(DESCRIPTION[0])),
    ...DESCRIPTION.slice(1).map((words) => paragraph(text(words))),
    section("Commands"),
    ...program.commands.map((command) => entry(namesOf(command), says(command.summary()))),
    section("Options"),
    ...commands.filter(isLeaf).flatMap((command) => commandBlocks(command, shared)),
    subsection("While it runs"),
    text("Options of all verbs that take a while:"),
    ...shared.map(optionEntry),
    section("Exit status"),
    ...EXIT_STATUS.map(([codes, meaning]) => entry(bold(codes), says(meaning))),
    section("Environment"),
    ...ENVIRONMENT.map(([name, meaning]) => entry(bold(name), says(meaning))),
    section("Files"),
    ...FILES.map(([name, meaning]) => entry(italic(name), says(meaning))),
    section("Examples"),
    ...commands.flatMap(examplesOf).map(([line, meaning]) => example(line, meaning)),
    section("See also"),
    SEE_ALSO.map(([name, number]) => `${bold(name)}(${number})`).join(",\n"),
  ];
  return `${blocks.join("\n")}\n`;
}

const withSubcommands = (command: Command): Command[] => [
  command,
  ...command.commands.flatMap(withSubcommands),
];

const isLeaf = (command: Command) => command.commands.length === 0;

/** "tunnel source". */
function pathOf(command: Command): string {
  const { parent } = command;
  return parent?.parent ? `${pathOf(parent)} ${command.name()}` : command.name();
}

const namesOf = (command: Command) => [command.name(), ...command.aliases()].map(bold).join(", ");

const usageOf = (command: Command, usage = command.usage()) =>
  `${bold(command.parent ? `pagefold ${pathOf(command)}` : "pagefold")} ${text(usage)}`;

/** A sentence out of what --help says; a word that is typed stays as it is. */
function says(words: string, typed: readonly string[] = []): string {
  const isTyped = typed.some((word) => words.startsWith(`${word}:`));
  return text(`${isTyped ? words[0] : words[0].toUpperCase()}${words.slice(1)}.`);
}

/** Those under the heading of the run that mean the same wherever they are, in order. */
function sharedOptions(commands: readonly Command[]): Option[] {
  const found = new Map<string, Option>();
  for (const option of commands.flatMap(({ options }) => options)) {
    if (isRunOption(option) && !found.has(option.flags)) found.set(option.flags, option);
  }
  return [...found.values()];
}

const isRunOption = (option: Option) => option.helpGroupHeading === RUN_OPTIONS;

/** A verb with its arguments and options; what it shares with others is only named. */
function commandBlocks(command: Command, shared: readonly Option[]): string[] {
  const isShared = ({ flags, description }: Option) =>
    shared.some((other) => other.flags === flags && other.description === description);
  const { options } = command;
  const named = options.filter(isShared).map(({ long, short }) => bold(long ?? short ?? ""));
  return [
    subsection([pathOf(command), ...command.aliases()].join(", ")),
    usageOf(command),
    paragraph(text(command.description())),
    ...command.registeredArguments.map(argumentEntry),
    ...options.filter((option) => !isShared(option)).map(optionEntry),
    ...(named.length > 0
      ? [paragraph(`Also ${named.join(", ")}: see ${bold("While it runs")}.`)]
      : []),
  ];
}

function argumentEntry(argument: Argument): string {
  const name = argument.name() + (argument.variadic ? "…" : "");
  const choices = argument.argChoices ? `: ${argument.argChoices.join(", ")}` : "";
  return entry(italic(name), says(argument.description + choices));
}

function optionEntry(option: Option): string {
  const [, value] = /([<[].+[>\]])/.exec(option.flags) ?? [];
  const flags = [option.short, option.long].filter((flag) => flag !== undefined).map(bold);
  const tag = [flags.join(", "), ...(value ? [italic(plain(value))] : [])].join(" ");
  const { argChoices, defaultValue, defaultValueDescription } = option;
  const sentences = [says(option.description, argChoices)];
  if (argChoices?.length === 1) sentences.push(text(`Only ${argChoices[0]}.`));
  else if (argChoices) sentences.push(text(`One of ${argChoices.join(", ")}.`));
  if (defaultValue !== undefined && typeof defaultValue !== "boolean") {
    sentences.push(text(`(Default: ${defaultValueDescription ?? String(defaultValue)})`));
  }
  if (option.mandatory) sentences.push("Required.");
  return entry(tag, sentences.join(" "));
}

const plain = (value: string) => value.replace(/[<>[\]]/g, "").replace("...", "…");
