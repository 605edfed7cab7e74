// Memory out of mutated files of every format, into every format: it ends soon, writes inside of
// the length that it says, and whatever cannot be had is one clear line.
import { ftruncateSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { PagefoldError } from "../../../src/core/errors.ts";
import { writeMemory } from "../../../src/image/convert/convert.ts";
import { memoryOf } from "../../../src/image/convert/memoryfile.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { FORMATS, guestFiles } from "../../support/guestfiles.ts";
import { NAME, storedBytes } from "../../support/imagefuzz.ts";
import { mixed } from "../../support/images.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../../support/random.ts";

const ROUNDS = Number(process.env.PAGEFOLD_FUZZ_ROUNDS ?? 150);
const CODES = ["FORMAT", "DAMAGED", "LIMIT"];
const MAX_CPU_MS = 1000;
const MAX_LINE = 300;
const AS = ["raw", "elf", "lime"] as const;

/** A few changes, most of them where the heads are, and sometimes another length. */
function mutated(good: Uint8Array, random: SeededRandom): Uint8Array {
  const bytes = new Uint8Array(good);
  for (let changes = 1 + random.int(5); changes > 0; changes--) {
    const hot = [200, 4096, 20_000, bytes.length][random.int(4)];
    const at = random.int(Math.min(hot, bytes.length));
    const choice = random.int(4);
    if (choice === 0) bytes[at] ^= 1 << random.int(8);
    else if (choice === 1) bytes.fill(0xff, at, at + 1 + random.int(8));
    else if (choice === 2) bytes.fill(0, at, at + 1 + random.int(8));
    else bytes.copyWithin(at, random.int(bytes.length), random.int(bytes.length));
  }
  return random.int(4) === 0 ? bytes.subarray(0, random.int(bytes.length + 1)) : bytes;
}

it.each(Object.entries(FORMATS))("memory out of mutated files: %s", async (file, format) => {
  const random = seededRandom(randomSeed(`memory of ${format}`));
  const good = guestFiles(random, mixed(random, 60))[file];
  const path = join(temporaryFolder(), "pages");
  const pages = await open(path, "wx+");
  onTestFinished(() => pages.close());
  const outcomes = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = round === 0 ? good : mutated(good, random);
    const as = AS[round % AS.length];
    const began = process.cpuUsage();
    let outcome = "written";
    try {
      ftruncateSync(pages.fd, 0);
      const spool = async () => ({ fd: pages.fd, path });
      const view = await memoryOf(storedBytes(bytes), format, spool, { name: NAME });
      let end = 0;
      const write = async (byteOffset: number, piece: Uint8Array) => {
        end = Math.max(end, byteOffset + piece.length);
      };
      const byteLength = await writeMemory(view, as, { write }, { name: NAME });
      if (end > byteLength) expect.fail(`round ${round}: writes up to ${end} of ${byteLength}`);
    } catch (error) {
      const { code, message } = error as PagefoldError;
      const isClear = error instanceof PagefoldError && CODES.includes(code);
      const isLine = message.startsWith(`${NAME}: `) && !message.includes("\n");
      if (!isClear || !isLine || message.length > MAX_LINE) {
        throw new Error(`round ${round}: ${error}`, { cause: error });
      }
      outcome = code;
    }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    const { user, system } = process.cpuUsage(began);
    const cpuMs = (user + system) / 1000;
    if (cpuMs > MAX_CPU_MS) expect.fail(`round ${round}: took ${cpuMs} ms`);
  }
  console.log(`memory of ${format}: ${[...outcomes].map((pair) => pair.join(" ")).join(", ")}`);
  expect(outcomes.get("written")).toBeGreaterThan(0);
});
