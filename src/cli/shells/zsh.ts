// The completions for zsh: a function per command, around its own _arguments. It is a file for
// $fpath, and can be sourced as well.
import { oneLine, script } from "./script.ts";
import {
  allCommands,
  type CommandWords,
  type OptionWords,
  type Place,
  type PlaceKind,
} from "./words.ts";

/** A script to be sourced, or to be found as `_pagefold`. */
export function zshScript(program: CommandWords): string {
  return `#compdef pagefold
# zsh completion of pagefold, made by: pagefold completion zsh
${LOGIC}
${allCommands(program).map(commandFunction).join("\n")}
if [[ $funcstack[1] == _pagefold ]]; then
  _pagefold "$@"
else
  compdef _pagefold pagefold
fi
`;
}

/** What _arguments does for a kind of place. */
const ACTIONS: Readonly<Record<PlaceKind, string>> = {
  file: "_files",
  directory: "_files -/",
  image: "_pagefold_images",
  process: "_pids",
  group: "_groups",
  socket: "_pagefold_sockets",
  guest: "_pagefold_guests",
  other: " ",
};

function actionOf(place: Place): string {
  return place.kind === "words" ? `(${place.words.join(" ")})` : ACTIONS[place.kind];
}

function commandFunction(command: CommandWords): string {
  return command.commands.length > 0 ? branchFunction(command) : leafFunction(command);
}

const functionOf = (path: string) => ["_pagefold", ...path.split(" ")].filter(Boolean).join("_");

function leafFunction({ path, options, arguments: places }: CommandWords): string {
  const specs = options.flatMap(optionSpecs);
  for (const { name, place, isVariadic } of places) {
    specs.push(`${isVariadic ? "*" : ""}:${escaped(name)}:${actionOf(place)}`);
  }
  const lines = ["_arguments -s -S", ...specs.map(quoted)];
  return `${functionOf(path)}() {\n  ${lines.join(" \\\n    ")}\n}\n`;
}

/** The first word chooses the function that completes the rest. */
function branchFunction({ path, options, commands }: CommandWords): string {
  const specs = [...options.flatMap(optionSpecs), "1: :->verb", "*:: :->rest"];
  const lines = ["_arguments -s -S -C", ...specs.map(quoted)];
  const verbs = commands.flatMap(({ names, text }) =>
    names.map((name) => `        ${quoted(`${name}:${escaped(text)}`)}`),
  );
  const cases = commands.map(
    ({ names, path }) => `        (${names.join("|")}) ${functionOf(path)} && ret=0 ;;`,
  );
  return `${functionOf(path)}() {
  local curcontext=$curcontext state ret=1
  local -a line verbs
  local -A opt_args
  ${lines.join(" \\\n    ")} && ret=0
  case $state in
    (verb)
      verbs=(
${verbs.join("\n")}
      )
      _describe -t commands verb verbs && ret=0
      ;;
    (rest)
      curcontext=\${curcontext%:*}-$words[1]:
      case $words[1] in
${cases.join("\n")}
      esac
      ;;
  esac
  return ret
}
`;
}

/** One for each flag. The others are no longer offered, unless it may be repeated. */
function optionSpecs({ flags, text, value, isRepeatable, isAlone }: OptionWords): string[] {
  const others = isAlone ? "(- *)" : isRepeatable ? "*" : `(${flags.join(" ")})`;
  return flags.map((flag) => {
    const head = `${others}${flag}`;
    if (!value) return `${head}[${escaped(text)}]`;
    const name = escaped(value.name);
    // A list goes on until the next option.
    const list = value.isVariadic ? ":*-*" : "";
    const glue = value.isVariadic ? "" : flag.startsWith("--") ? "=" : "+";
    return `${head}${glue}[${escaped(text)}]${list}:${name}:${actionOf(value.place)}`;
  });
}

const escaped = (text: string) => oneLine(text).replace(/[[\]:\\]/g, "\\$&");
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

const LOGIC = script`
# The images of the archive that was named first.
_pagefold_images() {
  local archive=\${(Q)line[1]} expl
  local -a images
  archive=\${archive/#\~\//$HOME/}
  images=("\${(@f)$(command pagefold list --names -- "$archive" 2> /dev/null)}")
  _wanted images expl image compadd -a images
}

# unix:PATH; an address of TCP is not to be guessed.
_pagefold_sockets() {
  if compset -P 'unix:'; then
    _files
  else
    local expl
    _wanted sockets expl address compadd -S '' unix:
  fi
}

# NAME=unix:PATH
_pagefold_guests() {
  if compset -P '*='; then
    _pagefold_sockets
  else
    _message 'name of a guest, then =unix:PATH'
  fi
}
`;
