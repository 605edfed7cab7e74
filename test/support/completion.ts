// What each shell must offer for words on its command line; and a folder to ask in.
import { chmodSync, symlinkSync } from "node:fs";
import { delimiter, join } from "node:path";
import { CLI, imageBytes, succeed, writeFiles } from "./cli.ts";
import { temporaryFolder } from "./folder.ts";

/** The line up to the cursor, and all candidates, sorted. */
export const COMPLETIONS: readonly (readonly [line: string, candidates: readonly string[]])[] = [
  ["pagefold ver", ["verify"]],
  ["pagefold tunnel ", ["source", "target"]],
  ["pagefold tunnel s", ["source"]],
  ["pagefold tunnel source --ra", ["--rack-index", "--rack-key", "--rate"]],
  ["pagefold replicate re", ["release", "resume"]],
  ["pagefold help rep", ["repack", "replicate"]],
  ["pagefold completion ", ["bash", "fish", "zsh"]],
  ["pagefold pack --le", ["--level"]],
  ["pagefold create --le", ["--level"]],
  ["pagefold pack --level ", ["balanced", "fast", "small", "store"]],
  ["pagefold pack -q --level s", ["small", "store"]],
  ["pagefold pack --no", ["--no-decompress", "--note"]],
  ["pagefold replicate primary --capture s", ["shared", "snapshot"]],
  ["pagefold pack one.r", ["one.raw"]],
  ["pagefold pack one.raw tw", ["two.raw"]],
  ["pagefold pack -o o", ["one.raw", "out"]],
  ["pagefold pack -qo o", ["one.raw", "out"]],
  ["pagefold pack -M ", []],
  ["pagefold unpack A.pfa -C o", ["out"]],
  ["pagefold pack -- --l", []],
  ["pagefold cat A.pfa ", ["mem 1.raw", "one.raw", "two.raw"]],
  ["pagefold cat A.pfa one.raw t", []],
  ["pagefold cat --offset 5 A.pfa t", ["two.raw"]],
  ["pagefold extract A.pfa one.raw t", ["two.raw"]],
  ["pagefold unpack A.pfa -- t", ["two.raw"]],
  ["pagefold repack A.pfa --drop one.raw t", ["two.raw"]],
  ["pagefold serve A.pfa --image t", ["two.raw"]],
  ["pagefold pack --note a=b --not", ["--note"]],
  ["pagefold tunnel source --connect u", ["unix:"]],
  ["pagefold tunnel source --vm web=u", ["web=unix:"]],
];

/** What a shell said of a line, as it stands in COMPLETIONS: without quotes and slashes. */
export function plainCandidates(found: readonly string[]): string[] {
  return [...new Set(found.map((one) => one.replace(/\\(?=.)/g, "").replace(/\/$/, "")))].sort();
}

/** Three images, an archive of them and a directory. */
export async function folderToComplete(): Promise<string> {
  const folder = temporaryFolder();
  const images = { "mem 1.raw": imageBytes(1, 3), "one.raw": imageBytes(2, 3) };
  writeFiles(folder, { ...images, "two.raw": imageBytes(3, 3), "out/.kept": "" });
  await succeed(["pack", "mem 1.raw", "one.raw", "two.raw", "-o", "A.pfa", "-q"], folder);
  chmodSync(CLI, 0o755);
  writeFiles(folder, { ".bin/.kept": "" });
  symlinkSync(CLI, join(folder, ".bin/pagefold"));
  for (const shell of ["bash", "zsh", "fish"]) {
    writeFiles(folder, { [`.bin/${shell}`]: await succeed(["completion", shell], folder) });
  }
  return folder;
}

/** Where `pagefold` is found in such a folder. */
export function environment(folder: string): NodeJS.ProcessEnv {
  const PATH = `${join(folder, ".bin")}${delimiter}${process.env.PATH}`;
  return { ...process.env, PATH, HOME: folder, HISTFILE: "", TERM: "dumb", LC_ALL: "C.UTF-8" };
}
