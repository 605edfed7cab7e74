// The completions for fish: a line for every verb, option and argument, with the condition under
// which it is offered.
import { oneLine, script } from "./script.ts";
import { allCommands, type CommandWords, type OptionWords, type Place } from "./words.ts";

/** A script to be sourced, or to be put into a folder of completions. */
export function fishScript(program: CommandWords): string {
  const commands = allCommands(program);
  return `# fish completion of pagefold, made by: pagefold completion fish

# The path of a command by any of its names; nothing for what is no command.
function __pagefold_command
    switch "$argv"
${commands.slice(1).map(commandCase).join("\n")}
    end
end

# How many words an option of a command takes: one, several, or nothing for a flag.
function __pagefold_takes
    switch "$argv"
${commands.flatMap(valueCases).join("\n")}
    end
end
${LOGIC}
complete -c pagefold -f
${commands.flatMap(completions).join("\n")}
`;
}

function commandCase({ path, names }: CommandWords): string {
  const parent = path.split(" ").slice(0, -1);
  const patterns = names.map((name) => quoted([...parent, name].join(" ")));
  return `        case ${patterns.join(" ")}\n            echo ${quoted(path)}`;
}

function valueCases({ path, options }: CommandWords): string[] {
  return options.flatMap(({ flags, value }) => {
    if (!value) return [];
    const patterns = flags.map((flag) => quoted(`${path}:${flag}`)).join(" ");
    const count = value.isVariadic ? "several" : "one";
    return [`        case ${patterns}\n            echo ${count}`];
  });
}

function completions({ path, commands, options, arguments: places }: CommandWords): string[] {
  const at = (condition: string) => `complete -c pagefold -n ${quoted(condition)}`;
  const here = `__pagefold_at ${quoted(path)}`;
  const verbs = commands.flatMap(({ names, text }) =>
    names.map((name) => `${at(`${here} 0`)} -a ${name} -d ${quoted(oneLine(text))}`),
  );
  const positions = places.map(({ place, isVariadic }, i) => {
    const count = isVariadic ? `${i} more` : i;
    return `${at(`${here} ${count}`)} ${candidates(place)}`;
  });
  // Fish itself knows of one value behind an option.
  const lists = options.flatMap(({ flags, value }) => {
    if (!value?.isVariadic) return [];
    return flags.map((flag) => {
      const open = `__pagefold_goes_on ${quoted(`${path}:${flag}`)}`;
      return `${at(open)} ${candidates(value.place)}`;
    });
  });
  const flags = options.map((option) => `${at(here)} ${optionWords(option)}`);
  return [...verbs, ...flags, ...lists, ...positions];
}

function optionWords({ flags, text, value }: OptionWords): string {
  const names = flags.map((flag) =>
    flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`,
  );
  const what = value ? [`-r ${candidates(value.place)}`] : [];
  return [...names, `-d ${quoted(oneLine(text))}`, ...what].join(" ");
}

function candidates(place: Place): string {
  switch (place.kind) {
    case "words":
      return `-f -a ${quoted(place.words.join(" "))}`;
    case "file":
      return "-F";
    case "directory":
      return "-f -a '(__fish_complete_directories)'";
    case "image":
      return "-f -a '(__pagefold_images)'";
    case "process":
      return "-f -a '(__fish_complete_pids)'";
    case "group":
      return "-f -a '(__fish_complete_groups)'";
    case "socket":
      return "-f -a '(__pagefold_sockets)'";
    case "guest":
      return "-f -a '(__pagefold_guests)'";
    case "other":
      return "-f";
  }
}

/** Text between quotes, in which fish knows two escapes. */
const quoted = (text: string) => `'${text.replace(/[\\']/g, "\\$&")}'`;

const LOGIC = script`
# The path of the command that stands on the line, the option whose list of values may go on there,
# and the arguments that the command was given.
function __pagefold_line
    set -l path ''
    set -l given
    set -l takes
    set -l option
    set -l ended
    for word in (commandline -opc)[2..]
        if test "$takes" = several; and string match -q -- '-?*' $word
            set takes
        else if test -n "$takes"
            test "$takes" = several; or set takes
            continue
        end
        if test -n "$ended"; or not string match -q -- '-?*' $word
            set -l deeper (__pagefold_command (string trim -- "$path $word"))
            if test -n "$deeper"; and not set -q given[1]
                set path $deeper
            else
                set -a given $word
            end
        else if test "$word" = --
            set ended yes
        else if string match -q -- '--*' $word
            set option "$path:$word"
            set takes (__pagefold_takes $option)
        else
            # Letters; the first that takes a value has the rest of them, or the next word.
            set -l letters (string split '' -- (string sub -s 2 -- $word))
            for i in (seq (count $letters))
                set option "$path:-$letters[$i]"
                set takes (__pagefold_takes $option)
                test -n "$takes"; and break
            end
            test $i -lt (count $letters); and set takes
        end
    end
    test "$takes" = several; or set option
    printf '%s\n' "$path" "$option" $given
end

# Whether the line is at a command; with a count, whether it was given so many arguments.
function __pagefold_at
    set -l line (__pagefold_line)
    test "$line[1]" = "$argv[1]"; or return
    set -q argv[2]; or return 0
    test -z "$line[2]"; or return
    set -l count (math (count $line) - 2)
    test $count = $argv[2]; or test "$argv[3]" = more -a $count -gt $argv[2]
end

# Whether the list of values of an option may go on.
function __pagefold_goes_on
    test (__pagefold_line)[2] = $argv[1]
end

# The images of the archive that was named first.
function __pagefold_images
    set -l line (__pagefold_line)
    command pagefold list --names -- $line[3] 2>/dev/null
end

# unix:PATH, behind a name if there is one; an address of TCP is not to be guessed.
function __pagefold_sockets
    set -l typed (commandline -ct | string replace -r -- '^--[^=]*=' '')
    set typed (string sub -s (math (string length -- "$argv[1]") + 1) -- "$typed")
    if string match -q -- 'unix:*' $typed
        printf "$argv[1]unix:%s\\n" (__fish_complete_path (string sub -s 6 -- $typed))
    else
        echo "$argv[1]unix:"
    end
end

# NAME=unix:PATH
function __pagefold_guests
    set -l typed (commandline -ct | string replace -r -- '^--[^=]*=' '')
    set -l name (string match -r -- '^[^=]+=' $typed)
    and __pagefold_sockets $name
end
`;
