// What a tunnel shows while it goes on: one line per guest that is drawn anew on a terminal, or an
// object a line for programs.
import type { MultiBar, SingleBar } from "cli-progress";
import type { GuestProgress, TunnelProgress } from "../index.ts";
import { formatBytes, formatDuration, formatRate, formatRatio, printable } from "./format.ts";
import type { ProgressMode } from "./options.ts";
import { isTerminal, note } from "./streams.ts";

export interface TunnelView {
  onProgress(progress: TunnelProgress): void;
  onNotice(message: string): void;
  /** Clears what was drawn; may be called twice. */
  end(): void;
}

export function openTunnelView(mode: ProgressMode, quiet: boolean, end: string): TunnelView {
  if (mode === "json") return jsonLines(end);
  if (mode === "auto" && !quiet && isTerminal("stderr")) return new Drawing();
  return { onProgress: () => undefined, onNotice: plainNotice, end: () => undefined };
}

function plainNotice(message: string): void {
  note(`pagefold: ${printable(message)}`);
}

function jsonLines(end: string): TunnelView {
  return {
    onProgress: (progress) =>
      note(JSON.stringify({ schema: "pagefold/tunnel-progress/1", end, ...progress })),
    onNotice: (message) =>
      note(JSON.stringify({ schema: "pagefold/notice/1", verb: `tunnel ${end}`, message })),
    end: () => undefined,
  };
}

const FORMAT = "{name} {phase} {bar} {pages} | {bytes} | {wire} ({ratio}) | {rate} | {left}";

class Drawing implements TunnelView {
  private bars: MultiBar | undefined;
  private readonly lines = new Map<string, SingleBar>();
  private latest: TunnelProgress | undefined;
  private isEnded = false;

  constructor() {
    void this.start();
    // The bars have switched off line wrapping: whatever ends us must switch it on again.
    process.once("exit", () => this.end());
  }

  onProgress(progress: TunnelProgress): void {
    this.latest = progress;
    for (const guest of progress.guests) {
      this.lines.get(guest.name)?.setTotal(guest.frameCount);
      this.lines.get(guest.name)?.update(guest.roundPages, shownOf(guest));
    }
    if (this.bars && this.lines.size === 0) this.draw(progress);
  }

  onNotice(message: string): void {
    const line = `pagefold: ${printable(message)}\n`;
    if (this.bars && !this.isEnded) this.bars.log(line);
    else process.stderr.write(line);
  }

  end(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.bars?.stop();
  }

  private async start(): Promise<void> {
    const { default: cliProgress } = await import("cli-progress");
    if (this.isEnded) return;
    this.bars = new cliProgress.MultiBar({
      stream: process.stderr,
      format: FORMAT,
      clearOnComplete: true,
      hideCursor: false,
      gracefulExit: false,
      barsize: 16,
      barCompleteChar: "#",
      barIncompleteChar: ".",
    });
    if (this.latest) this.draw(this.latest);
  }

  private draw({ guests }: TunnelProgress): void {
    const width = Math.max(...guests.map(({ name }) => printable(name).length));
    for (const guest of guests) {
      const name = printable(guest.name).padEnd(width);
      const shown = { ...shownOf(guest), name };
      const bar = this.bars?.create(guest.frameCount, guest.roundPages, shown);
      if (bar) this.lines.set(guest.name, bar);
    }
  }
}

function shownOf(guest: GuestProgress) {
  const { phase, round, roundPages, streamBytes, wireBytes, elapsedMs, frameCount } = guest;
  const share = frameCount > 0 ? roundPages / frameCount : 0;
  // Later passes have fewer pages than frames, and nobody says how many.
  const isKnown = phase === "memory" && round === 1 && share > 0.01;
  return {
    phase: phase.padEnd(8),
    pages: round > 1 ? `round ${round}, ${roundPages} pages` : `${roundPages} pages`,
    bytes: formatBytes(streamBytes),
    wire: formatBytes(wireBytes),
    ratio: formatRatio(streamBytes, wireBytes),
    rate: formatRate(streamBytes, elapsedMs),
    left: isKnown ? `${formatDuration((elapsedMs * (1 - share)) / share)} left` : "-",
  };
}
