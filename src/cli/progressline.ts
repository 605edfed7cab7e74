// The line of a progress bar as text that fits the terminal: what matters least goes first, how far
// it is and how long it takes stay. Nothing here draws.
import type { Progress } from "../index.ts";
import { formatBytes, formatRate, formatRatio, printable } from "./format.ts";

/** Speed is measured over this time, so that it tells of now and does not jump. */
const WINDOW_MS = 5000;
/** Before, a speed says more about the start than about the work. */
const MIN_WINDOW_MS = 500;
const BAR_COLUMNS = 24;
const SHORT_BAR_COLUMNS = 10;
const MIN_NAME_COLUMNS = 8;

/** Bytes per second of the last few seconds. */
export class Speed {
  private readonly samples: { timeMs: number; bytes: number }[] = [];

  /** Notes how far it is; returns bytes per second, once they can be told. */
  at(timeMs: number, bytes: number): number | undefined {
    const { samples } = this;
    samples.push({ timeMs, bytes });
    while (samples.length > 2 && samples[1].timeMs <= timeMs - WINDOW_MS) samples.shift();
    const elapsedMs = timeMs - samples[0].timeMs;
    if (elapsedMs < MIN_WINDOW_MS) return undefined;
    return ((bytes - samples[0].bytes) * 1000) / elapsedMs;
  }
}

/** The line for a terminal that is `columns` wide; the last column stays free for the cursor. */
export function progressLine(
  { doneBytes, totalBytes, writtenBytes, image }: Progress,
  bytesPerSecond: number | undefined,
  columns: number,
): string {
  const rate = (bytesPerSecond === undefined ? "-" : formatRate(bytesPerSecond, 1000)).padStart(11);
  const ratio = formatRatio(doneBytes, writtenBytes).padStart(5);
  const parts = (...texts: string[]) => texts.join(" | ");
  const room = columns - 1;
  if (totalBytes === undefined) {
    const done = formatBytes(doneBytes).padStart(10);
    const line = [parts(done, rate, ratio), parts(done, rate), done].find((one) => fits(one, room));
    return withName(line ?? "", image, room);
  }
  // Nothing to do is done.
  const share = totalBytes > 0 ? Math.min(1, doneBytes / totalBytes) : 1;
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  const total = formatBytes(totalBytes);
  const bytes = `${formatBytes(doneBytes).padStart(total.length)} / ${total}`;
  const left = formatLeft(totalBytes - doneBytes, bytesPerSecond);
  const long = `${bar(share, BAR_COLUMNS)} ${parts(percent, bytes, rate, ratio, left)}`;
  if (fits(long, room)) return withName(long, image, room);
  const short = bar(share, SHORT_BAR_COLUMNS);
  const usual = `${short} ${parts(percent, bytes, rate, left)}`;
  if (fits(usual, room)) return withName(usual, image, room);
  const lines = [
    `${short} ${parts(percent, rate, left)}`,
    parts(percent, rate, left),
    parts(percent, left),
    percent,
  ];
  return lines.find((one) => fits(one, room)) ?? "";
}

const fits = (text: string, room: number) => text.length <= room;

/** The end of a name that is too long tells more than its beginning. */
function withName(line: string, image: string, room: number): string {
  const name = printable(image);
  const nameRoom = room - line.length - 3;
  if (name === "" || nameRoom < Math.min(MIN_NAME_COLUMNS, name.length)) return line;
  return `${line} | ${name.length <= nameRoom ? name : `…${name.slice(1 - nameRoom)}`}`;
}

function bar(share: number, columns: number): string {
  const done = Math.floor(share * columns);
  return "#".repeat(done) + ".".repeat(columns - done);
}

/** "8 s left", "2:05 left", "1:02:05 left": what is to wait, if it goes on like this. */
export function formatLeft(bytes: number, bytesPerSecond: number | undefined): string {
  const seconds = Math.ceil(Math.max(0, bytes) / (bytesPerSecond ?? 0));
  // Nobody waits for what takes weeks; it stands still.
  if (!(seconds < 360_000)) return "-".padStart(9);
  const two = (n: number) => String(n).padStart(2, "0");
  const [hours, minutes, rest] = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map(
    Math.floor,
  );
  const text =
    hours > 0
      ? `${hours}:${two(minutes)}:${two(rest)}`
      : minutes > 0
        ? `${minutes}:${two(rest)}`
        : `${rest} s`;
  return `${text} left`.padStart(9);
}
