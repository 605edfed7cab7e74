// Progress on stderr: a bar on a terminal, an object a line for programs, or nothing.
import type { Options, SingleBar } from "cli-progress";
import type { Progress } from "../index.ts";
import { formatBytes, formatDuration, formatRate, formatRatio, printable } from "./format.ts";
import type { ProgressMode } from "./options.ts";
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
  if (mode === "auto" && !quiet && isTerminal("stderr")) return drawBar();
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
  barsize: 24,
  barCompleteChar: "#",
  barIncompleteChar: ".",
};
const KNOWN = "{bar} {percentage}% | {bytes} | {rate} | {ratio} | {left} left | {image}";
const UNKNOWN = "{bytes} | {rate} | {ratio} | {image}";

/** What is left to wait, if it goes on like this. */
function leftOf({ doneBytes, totalBytes = 0 }: Progress, elapsedMs: number): string {
  return doneBytes > 0 ? formatDuration((elapsedMs * (totalBytes - doneBytes)) / doneBytes) : "-";
}

async function drawBar(): Promise<ProgressDisplay> {
  const { default: cliProgress } = await import("cli-progress");
  const startMs = performance.now();
  let bar: SingleBar | undefined;
  const end = () => {
    bar?.stop();
    bar = undefined;
  };
  // The bar has switched off line wrapping; a second Ctrl-C must not leave the terminal like that.
  process.once("exit", end);
  return {
    onProgress: (progress) => {
      const { doneBytes, totalBytes, writtenBytes, image } = progress;
      const elapsedMs = performance.now() - startMs;
      const shown = {
        left: leftOf(progress, elapsedMs),
        bytes: [doneBytes, totalBytes ?? doneBytes].map(formatBytes).join(" / "),
        rate: formatRate(doneBytes, elapsedMs),
        ratio: formatRatio(doneBytes, writtenBytes),
        image: printable(image),
      };
      if (!bar) {
        const format = totalBytes === undefined ? UNKNOWN : KNOWN;
        bar = new cliProgress.SingleBar({ ...BAR, format });
        bar.start(totalBytes ?? 0, doneBytes, shown);
      }
      if (totalBytes !== undefined) bar.setTotal(totalBytes);
      bar.update(doneBytes, shown);
    },
    onWarning: (message) => {
      end();
      plainWarning(message);
    },
    end,
  };
}
