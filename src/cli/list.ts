// pagefold list: the images of an archive, what each one costs and what dropping it would free.
import { type Command, Option } from "commander";
import {
  type Archive,
  type ArchivedImageInfo,
  type ImageUsage,
  openArchive,
  PagefoldError,
} from "../index.ts";
import { formatBytes, formatCount, formatRatio, formatTime, printable } from "./format.ts";
import { refuseStdin } from "./inputs.ts";
import { interrupt } from "./interrupt.ts";
import { type KeyOption, keyOption, readKey } from "./keyfile.ts";
import { addExamples } from "./options.ts";
import { note, print } from "./streams.ts";
import { formatSum } from "./sums.ts";
import { formatTable } from "./table.ts";
import { printJson } from "./work.ts";

interface Options extends KeyOption {
  json?: boolean;
  digest?: boolean;
  verbose?: boolean;
  names?: boolean;
}

export function defineList(command: Command): void {
  command
    .argument("<archive>", "an archive in a file")
    .option("-v, --verbose", "with format, base, notes and scatter of each image")
    .option("--digest", "lines for sha256sum -c, of the digests that were recorded")
    .addOption(
      new Option("--names", "the names alone, one a line").conflicts(["verbose", "digest", "json"]),
    )
    .addOption(keyOption())
    .option("--json", "one JSON object on stdout")
    .action(list);
  addExamples(command, [
    ["pagefold list fleet.pfa", "a table; frees is what dropping the image would free"],
    ["pagefold list --digest fleet.pfa | (cd restored && sha256sum -c)", "check files"],
  ]);
}

async function list(path: string, options: Options): Promise<void> {
  refuseStdin(path, "list");
  await using archive = await openArchive(path, { key: await readKey(options.keyFile) });
  if (options.names)
    return print(archive.images.map(({ name }) => `${printable(name)}\n`).join(""));
  if (options.digest) return print(digestLines(path, archive));
  const usageOf = new Map((await measureUsage(archive)).map((entry) => [entry.name, entry]));
  if (options.json) return printJson("list", listObject(path, archive, usageOf));
  const { images } = archive;
  const size = images.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const total = [
    `${formatCount(images.length, "image")}, ${formatBytes(size)}`,
    ` in ${formatBytes(archive.byteLength)}`,
    ` (${formatRatio(size, archive.byteLength)}), generation ${archive.generation}\n`,
  ];
  const table = images.length > 0 ? imageTable(images, usageOf, options.verbose) : "";
  await print(table + total.join(""));
}

/** None for a damaged archive: what its images are called is worth more than what they cost. */
async function measureUsage(archive: Archive): Promise<ImageUsage[]> {
  try {
    return await archive.usage(interrupt.signal);
  } catch (error) {
    if (!(error instanceof PagefoldError && error.code === "DAMAGED")) throw error;
    note(`pagefold: warning: ${printable(error.message)}`);
    return [];
  }
}

function digestLines(path: string, { images }: Archive): string {
  return images
    .map(({ name, sha256 }) => {
      if (sha256 !== undefined) return formatSum(sha256, name);
      throw new Error(`${path}: no SHA-256 was recorded for ${name} (pack --digest sha256)`);
    })
    .join("");
}

function listObject(path: string, archive: Archive, usageOf: ReadonlyMap<string, ImageUsage>) {
  return {
    archive: path,
    generation: archive.generation,
    byteLength: archive.byteLength,
    images: archive.images.map((image) => imageObject(image, usageOf.get(image.name))),
  };
}

function imageObject(image: ArchivedImageInfo, usage: ImageUsage | undefined) {
  return {
    name: image.name,
    format: image.format,
    byteLength: image.byteLength,
    frameCount: image.frameCount,
    mtimeMs: image.mtimeMs,
    storedBytes: image.storedBytes,
    exclusiveBytes: usage?.exclusiveBytes,
    clustersPerMiB: usage?.clustersPerMiB,
    counts: image.counts,
    notes: image.notes,
    checksum: hex(image.checksum),
    sha256: image.sha256,
    base: image.base && { ...image.base, checksum: hex(image.base.checksum) },
  };
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

const right = (title: string) => ({ title, align: "right" as const });
const left = (title: string) => ({ title, align: "left" as const });

function imageTable(
  images: readonly ArchivedImageInfo[],
  usageOf: ReadonlyMap<string, ImageUsage>,
  verbose = false,
): string {
  const columns = [right("size"), right("stored"), right("ratio"), right("frees")];
  if (verbose) columns.push(right("clusters/MiB"));
  const words = [left("modified"), ...(verbose ? [left("format")] : []), left("name")];
  const rows = images.map((image) => {
    const usage = usageOf.get(image.name);
    const { byteLength, storedBytes } = image;
    return [
      formatBytes(byteLength),
      formatBytes(storedBytes),
      formatRatio(byteLength, storedBytes),
      usage ? formatBytes(usage.exclusiveBytes) : "-",
      ...(verbose ? [usage ? usage.clustersPerMiB.toFixed(1) : "-"] : []),
      formatTime(image.mtimeMs),
      ...(verbose ? [image.format] : []),
      verbose ? nameWithNotes(image) : printable(image.name),
    ];
  });
  return formatTable([...columns, ...words], rows);
}

/** "vm0.raw  base=old.raw  host=a1". */
function nameWithNotes({ name, notes, base }: ArchivedImageInfo): string {
  const parts = Object.entries(notes).map(([key, value]) => `${key}=${value}`);
  if (base) parts.unshift(`base=${base.name}`);
  return printable([name, ...parts].join("  "));
}
