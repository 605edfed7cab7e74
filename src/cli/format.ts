// Numbers and names as people read them. Nothing here writes anything.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** "512 B", "251.1 MiB". */
export function formatBytes(byteCount: number): string {
  let unit = 0;
  let value = byteCount;
  // 1023.95 and more would be shown as 1024.0 of the smaller unit.
  while (value >= (unit === 0 ? 1024 : 1023.95) && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** "480.2 MiB/s". */
export function formatRate(byteCount: number, elapsedMs: number): string {
  return elapsedMs > 0 ? `${formatBytes(Math.round((byteCount * 1000) / elapsedMs))}/s` : "-";
}

/** "30.5 %". */
export function formatPercent(part: number, whole: number): string {
  return whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : "-";
}

/** How many times smaller: "4.1x". */
export function formatRatio(byteCount: number, storedBytes: number): string {
  return storedBytes > 0 ? `${(byteCount / storedBytes).toFixed(1)}x` : "-";
}

/** "0.42 s", "12.3 s", "2:05 min", "1:02:05 h". */
export function formatDuration(elapsedMs: number): string {
  const seconds = elapsedMs / 1000;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const two = (n: number) => String(n).padStart(2, "0");
  const [hours, minutes, rest] = [
    Math.floor(whole / 3600),
    Math.floor(whole / 60) % 60,
    whole % 60,
  ];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)} h` : `${minutes}:${two(rest)} min`;
}

/** Local time, to the second. */
export function formatTime(timeMs: number): string {
  const t = new Date(timeMs);
  if (Number.isNaN(t.getTime())) return "-";
  const two = (n: number) => String(n).padStart(2, "0");
  const day = `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())}`;
  return `${day} ${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
}

/** "1 image", "4 images". */
export function formatCount(count: number, noun: string, nouns = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : nouns}`;
}

/**
 * One line that cannot move the cursor: names come from strangers' archives, and a terminal obeys
 * control characters.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, (c) =>
    JSON.stringify(c).length > 3
      ? JSON.stringify(c).slice(1, -1)
      : `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The name of an image, and what it was compressed with: "vm0.raw  (zstd)". */
export function formatName(image: { name: string; decompressed?: string }): string {
  const { name, decompressed } = image;
  return printable(decompressed === undefined ? name : `${name}  (${decompressed})`);
}
