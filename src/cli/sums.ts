// Checksum lists as sha256sum writes and reads them: "HASH  NAME", "HASH *NAME", and with --tag
// "SHA256 (NAME) = HASH". A line that begins with a backslash has escapes in its name.
import { resolve } from "node:path";

const PLAIN = /^(\\?)([0-9a-fA-F]{64}) [ *](.+)$/u;
const TAGGED = /^(\\?)SHA256 \((.+)\) = ([0-9a-fA-F]{64})$/u;
const ESCAPES: Record<string, string> = { "\\\\": "\\", "\\n": "\n", "\\r": "\r" };

/** SHA-256 in lower-case hex by name. `where` names the list in messages. */
export function parseSums(text: string, where: string): Map<string, string> {
  const sums = new Map<string, string>();
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line === "" || line.startsWith("#")) continue;
    const [name, hash] = parseLine(line) ?? [];
    if (name === undefined || hash === undefined) {
      throw new Error(`${where}: line ${i + 1} is not a SHA-256 sum`);
    }
    const other = sums.get(name);
    if (other !== undefined && other !== hash) {
      throw new Error(`${where}: line ${i + 1}: a second, different sum of ${name}`);
    }
    sums.set(name, hash);
  }
  return sums;
}

function parseLine(line: string): [name: string, hash: string] | undefined {
  const plain = PLAIN.exec(line);
  const tagged = plain ? null : TAGGED.exec(line);
  if (plain) return [unescaped(plain[3], plain[1]), plain[2].toLowerCase()];
  if (tagged) return [unescaped(tagged[2], tagged[1]), tagged[3].toLowerCase()];
  return undefined;
}

function unescaped(name: string, mark: string): string {
  return mark === "" ? name : name.replace(/\\[\\nr]/g, (pair) => ESCAPES[pair]);
}

/** The line that `sha256sum -c` takes. */
export function formatSum(hash: string, name: string): string {
  const escaped = name.replace(
    /[\\\n\r]/g,
    (c) => ({ "\\": "\\\\", "\n": "\\n", "\r": "\\r" })[c] ?? c,
  );
  return `${escaped === name ? "" : "\\"}${hash}  ${escaped}\n`;
}

/**
 * The sum of every input, by image name. A list may call an image by its name, or by its path as
 * seen from here, which is how sha256sum itself would find it. Throws for an image it leaves out.
 */
export function sumsOfInputs(
  sums: ReadonlyMap<string, string>,
  inputs: readonly { name: string; path?: string }[],
  where: string,
): Map<string, string> {
  const byPath = new Map([...sums].map(([name, hash]) => [resolve(name), hash]));
  const found = new Map<string, string>();
  for (const { name, path } of inputs) {
    const own = path === undefined ? undefined : byPath.get(resolve(path));
    const hash = own ?? sums.get(name) ?? sums.get(`./${name}`);
    if (hash === undefined) throw new Error(`${where}: has no sum of ${name}`);
    found.set(name, hash);
  }
  return found;
}
