#!/usr/bin/env node
// The process: starts a verb, turns signals into an abort and failures into one line and an exit
// code. What the verbs do stands in program.ts and in one file per verb.
import { readFileSync } from "node:fs";
import { EXIT, exitCodeOf, report } from "./failure.ts";
import { interrupt, listenForSignals } from "./interrupt.ts";
import { flushStderr, listenToStreams, print } from "./streams.ts";

async function main(words: readonly string[]): Promise<number> {
  listenForSignals();
  listenToStreams();
  try {
    if (words.length === 1 && (words[0] === "--version" || words[0] === "-V")) {
      // Before commander is loaded: people time this.
      await print(`${version()}\n`);
      return EXIT.done;
    }
    const { runProgram } = await import("./program.ts");
    await runProgram(words, version());
    return EXIT.done;
  } catch (error) {
    // What an abort brings down on its way is not worth telling.
    const cause: unknown = interrupt.signal.aborted ? interrupt.signal.reason : error;
    report(cause, words);
    return exitCodeOf(cause);
  }
}

function version(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

const exitCode = await main(process.argv.slice(2));
await flushStderr();
process.exit(exitCode);
