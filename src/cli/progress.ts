// Progress on stderr: a bar on a terminal, an object a line for programs, or nothing.
import type { Options, SingleBar } from "cli-progress";
import type { Progress } from "../index.ts";
import { printable } from "./format.ts";
import type { ProgressMode } from "./options.ts";
import { progressLine, Speed } from "./progressline.ts";
import { isTerminal, note } from "./streams.ts";

export interface ProgressDisplay {
  onProgress?: (progress: Progress) => void;
  /** A line that must not run into the bar. */
  onWarning(message: string): void;
  /** Clears the bar; may be called twice. */
  end(): void;
}

/** `verb` names the operation in JSON. */
export async function openProgress(
  mode: ProgressMode,
  quiet: boolean,
  verb: string,
): Promise<ProgressDisplay> {
  if (mode === "json") return jsonLines(verb);
  const canDraw = isTerminal("stderr") && process.env.TERM !== "dumb";
  if (mode === "auto" && !quiet && canDraw) return drawBar();
  return { onWarning: plainWarning, end: () => undefined };
}

function plainWarning(message: string): void {
  note(`pagefold: warning: ${printable(message)}`);
}

function jsonLines(verb: string): ProgressDisplay {
  const startMs = performance.now();
  return {
    onProgress: ({ image, doneBytes, totalBytes, writtenBytes }) => {
      const elapsedMs = Math.round(performance.now() - startMs);
      const line = { verb, image, doneBytes, totalBytes, writtenBytes, elapsedMs };
      note(JSON.stringify({ schema: "pagefold/progress/1", ...line }));
    },
    onWarning: (message) => note(JSON.stringify({ schema: "pagefold/warning/1", verb, message })),
    end: () => undefined,
  };
}

/** Colourless on purpose, so NO_COLOR needs no second way to draw it. */
const BAR: Options = {
  stream: process.stderr,
  clearOnComplete: true,
  hideCursor: false,
  // Signals are ours: the bar's own handlers would end the process before the clean-up.
  gracefulExit: false,
  format: (_options, _params, { line }) => line(),
};
const USUAL_COLUMNS = 80;

async function drawBar(): Promise<ProgressDisplay> {
  const { default: cliProgress } = await import("cli-progress");
  const startMs = performance.now();
  const speed = new Speed();
  let bar: SingleBar | undefined;
  const end = () => {
    bar?.stop();
    bar = undefined;
  };
  // The bar has switched off line wrapping; a second Ctrl-C must not leave the terminal like that.
  process.once("exit", end);
  return {
    onProgress: (progress) => {
      const { doneBytes, totalBytes = 0 } = progress;
      const rate = speed.at(performance.now() - startMs, doneBytes);
      // Made when it is drawn: the terminal may have another width by then.
      const line = () => progressLine(progress, rate, process.stderr.columns || USUAL_COLUMNS);
      if (!bar) {
        bar = new cliProgress.SingleBar(BAR);
        bar.start(totalBytes, doneBytes, { line });
      }
      bar.setTotal(totalBytes);
      bar.update(doneBytes, { line });
    },
    onWarning: (message) => {
      end();
      plainWarning(message);
    },
    end,
  };
}
