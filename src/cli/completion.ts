// pagefold completion: the script that teaches a shell our verbs, options and their values.
import { Argument, type Command } from "commander";
import { addExamples } from "./options.ts";
import { bashScript } from "./shells/bash.ts";
import { fishScript } from "./shells/fish.ts";
import { type CommandWords, wordsOf } from "./shells/words.ts";
import { zshScript } from "./shells/zsh.ts";
import { print } from "./streams.ts";

const SCRIPTS: Readonly<Record<string, (program: CommandWords) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

export function defineCompletion(command: Command): void {
  command
    .addArgument(new Argument("<shell>", "whose script").choices(Object.keys(SCRIPTS)))
    .action(async (shell: string, _options, { parent }: Command) => {
      if (parent) await print(SCRIPTS[shell](wordsOf(parent)));
    });
  addExamples(command, [
    ["source <(pagefold completion bash)", "this shell only; as a line of ~/.bashrc, every one"],
    [
      "pagefold completion bash \\\n" +
        "      > ~/.local/share/bash-completion/completions/pagefold",
      "found by the package bash-completion when it is needed",
    ],
    [
      "pagefold completion zsh > ~/.zfunc/_pagefold",
      "~/.zshrc has: fpath+=~/.zfunc; autoload -U compinit; compinit",
    ],
    ["pagefold completion fish > ~/.config/fish/completions/pagefold.fish", "every fish"],
  ]);
}
