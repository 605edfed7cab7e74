// The completions for bash, of itself: it needs no bash-completion, and starts pagefold only for
// the names of images. Those come from strangers' archives, so no candidate is ever expanded.
import { script } from "./script.ts";
import { allCommands, type CommandWords, type Place } from "./words.ts";

/** A script to be sourced. */
export function bashScript(program: CommandWords): string {
  const commands = allCommands(program);
  return `# bash completion of pagefold, made by: pagefold completion bash

# What the command knows that these words name: verbs, options, places of arguments.
_pagefold_command() {
  verbs= flags= places=()
  case $1 in
${commands.map(commandCase).join("\n")}
  esac
}

# The place of the value of an option; none for a flag.
_pagefold_option() {
  place=
  case $path:$1 in
${commands.flatMap(optionCases).join("\n")}
  esac
}
${LOGIC}`;
}

/** Any name may be typed; the path is that of the first. */
function commandCase({ path, names, commands, options, arguments: places }: CommandWords): string {
  const parent = path.split(" ").slice(0, -1);
  const patterns = names.map((name) => quoted(path && [...parent, name].join(" ")));
  const lines = [
    `path=${quoted(path)}`,
    `verbs=${quoted(commands.flatMap((command) => command.names).join(" "))}`,
    `flags=${quoted(options.flatMap(({ flags }) => flags).join(" "))}`,
    `places=(${places.map((one) => quoted(placeText(one.place, one.isVariadic))).join(" ")})`,
  ];
  const cases = [...new Set(patterns)].join(" | ");
  return `    ${cases})\n${lines.map((line) => `      ${line}\n`).join("")}      ;;`;
}

function optionCases({ path, options }: CommandWords): string[] {
  return options.flatMap(({ flags, value }) => {
    if (!value) return [];
    const patterns = flags.map((flag) => quoted(`${path}:${flag}`)).join(" | ");
    return [`    ${patterns}) place=${quoted(placeText(value.place, value.isVariadic))} ;;`];
  });
}

/** "file", "image...", "words a b c". */
function placeText(place: Place, isVariadic: boolean): string {
  const text = place.kind === "words" ? ["words", ...place.words].join(" ") : place.kind;
  return isVariadic ? `${text}...` : text;
}

const quoted = (text: string) => `'${text}'`;

const LOGIC = script`
# Takes the candidates that continue what was typed, behind what must stay in front of them.
_pagefold_offer() {
  local word
  for word; do
    [[ $front$word == "$typed"* ]] && COMPREPLY+=("$front$word")
  done
}

# The images of an archive, quoted: they are inserted as they are.
_pagefold_images() {
  local archive=$1 name
  # Only what a quote does is undone; we do not run what stands on the line.
  [[ $archive == *['$\`']* ]] && return
  archive=\${archive//[\\\"\']/}
  [[ $archive == "~/"* ]] && archive=$HOME/\${archive#"~/"}
  while IFS= read -r name; do
    printf -v name %q "$name"
    _pagefold_offer "$name"
  done < <("$command" list --names -- "$archive" 2> /dev/null)
}

# Candidates for a place. Where there are none, readline completes files unless we forbid it.
_pagefold_place() {
  local kind=\${1%...} front=$2 rest=\${typed#"$2"}
  case $kind in
    file) return ;;
    directory)
      compopt +o default +o bashdefault -o dirnames
      return
      ;;
    socket | guest)
      [[ $kind == guest && $rest == *=* ]] && front+=\${rest%%=*}=
      [[ $typed == "$front"unix:* ]] && return
      [[ $kind == guest && $rest != *=* ]] || _pagefold_offer unix:
      compopt -o nospace
      ;;
    image) _pagefold_images "\${given[0]}" ;;
    process) _pagefold_offer $(ps -e -o pid=) ;;
    group) _pagefold_offer $(compgen -g) ;;
    words\ *) _pagefold_offer \${kind#words } ;;
  esac
  compopt +o default +o bashdefault
}

_pagefold() {
  local IFS=$' \t\n' command=$1 word typed left path verbs flags place= ended= i
  local -a words=() places=() given=()
  COMPREPLY=()

  # Bash cuts words at = and : too. We put them together, and cut the candidates in the end.
  local glue=
  for word in "\${COMP_WORDS[@]:0:COMP_CWORD + 1}"; do
    if [[ -n $glue || $word =~ ^[=:]+$ ]] && ((\${#words[@]} > 1)); then
      words[\${#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
    [[ $word =~ ^[=:]+$ ]] && glue=1 || glue=
  done
  typed=\${words[\${#words[@]} - 1]}
  left=\${COMP_WORDS[COMP_CWORD]}
  [[ $left =~ ^[=:]+$ ]] && left=
  left=\${typed%"$left"}

  _pagefold_command ''
  for word in "\${words[@]:1:\${#words[@]} - 2}"; do
    # The value of the option before; a list of them ends where the next option begins.
    if [[ $place == *... && $word == -?* ]]; then
      place=
    elif [[ -n $place ]]; then
      [[ $place == *... ]] || place=
      continue
    fi
    if [[ -n $ended || $word != -?* ]]; then
      if [[ -n $verbs ]]; then
        _pagefold_command "\${path:+$path }$word"
      else
        given+=("$word")
      fi
    elif [[ $word == -- ]]; then
      ended=1
    elif [[ $word == --* ]]; then
      [[ $word == *=* ]] || _pagefold_option "$word"
    else
      # Letters; the first that takes a value has the rest of them, or the next word.
      for ((i = 1; i < \${#word}; i++)); do
        _pagefold_option "-\${word:i:1}"
        [[ -n $place ]] && break
      done
      ((i + 1 < \${#word})) && place=
    fi
  done

  [[ $place == *... && $typed == -* ]] && place=
  if [[ -n $place ]]; then
    _pagefold_place "$place" ''
  elif [[ -z $ended && $typed == --*=* ]]; then
    _pagefold_option "\${typed%%=*}"
    _pagefold_place "$place" "\${typed%%=*}="
  elif [[ -z $ended && $typed == -* ]]; then
    _pagefold_place "words $flags" ''
  elif [[ -n $verbs ]]; then
    _pagefold_place "words $verbs" ''
  else
    place=\${places[\${#given[@]}]}
    ((\${#places[@]} > 0 && \${#given[@]} >= \${#places[@]})) && place=\${places[-1]}
    ((\${#given[@]} >= \${#places[@]})) && [[ $place != *... ]] && place=
    _pagefold_place "$place" ''
  fi
  COMPREPLY=("\${COMPREPLY[@]#"$left"}")
}

complete -o bashdefault -o default -F _pagefold pagefold
`;
