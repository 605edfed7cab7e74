// pagefold inspect: how much of images is zero, duplicate or similar, without packing them; or what
// an archive consists of.
import { open } from "node:fs/promises";
import type { Command } from "commander";
import { type ImageFolder, type InspectReport, imagesAt, openArchive } from "../index.ts";
import { type ExplainWords, explain } from "./explained.ts";
import { UsageError } from "./failure.ts";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatPercent,
  formatRate,
  formatRatio,
  printable,
} from "./format.ts";
import { countRows, totalCounts } from "./found.ts";
import { listedPaths } from "./inputs.ts";
import { interrupt } from "./interrupt.ts";
import { type KeyOption, keyOption, readKey } from "./keyfile.ts";
import { addExamples, addWorkOptions, asIsOption, forceOption, levelOption } from "./options.ts";
import { print } from "./streams.ts";
import { formatTable } from "./table.ts";
import { printJson, withEngine } from "./work.ts";

type Options = ExplainWords & KeyOption & { filesFrom?: string; null?: boolean };
type ImageFound = InspectReport["images"][number];

const PAGE_BYTES = 4096;
const MAGIC = "PAGEFOLD";

export function defineInspect(command: Command): void {
  command
    .argument("[images...]", "images, or one archive")
    .option("--files-from <file>", "read paths of images from a file, - for stdin")
    .option("-0, --null", "the paths of --files-from end with NUL, not newline")
    .addOption(asIsOption())
    .option("--html <file>", "draw where the bytes go on one page, - for stdout")
    .addOption(forceOption("an existing page"))
    .option("--details", "say where the bytes go: pack them all into nothing")
    .addOption(levelOption())
    .addOption(keyOption())
    .action(inspect);
  addWorkOptions(command);
  addExamples(command, [
    ["pagefold inspect vm*.raw", "what packing them together would find"],
    ["pagefold inspect vm*.raw --html report.html", "where the bytes go, drawn page by page"],
    ["pagefold inspect fleet.pfa", "kinds of pages, and how scattered the images are"],
  ]);
}

async function inspect(words: string[], options: Options): Promise<void> {
  const paths = await listedPaths(words, options);
  if (paths.length === 0) throw new UsageError("no images were given");
  if (paths.includes("-")) throw new UsageError("inspect reads files, not stdin");
  const archives = await Promise.all(paths.map(isArchive));
  const at = archives.indexOf(true);
  if (at >= 0 && paths.length > 1) {
    throw new UsageError(`${paths[at]}: is an archive; inspect it alone`);
  }
  const isExplained = options.details || options.html !== undefined;
  if (at >= 0 && isExplained) {
    throw new UsageError(`${paths[at]}: is an archive; --html and --details are for images`);
  }
  if (at >= 0) return inspectArchive(paths[0], options);
  if (options.keyFile !== undefined) throw new UsageError("only archives take a --key-file");
  const { decompress } = options;
  const { images: inputs, folders } = await imagesAt(paths, options);
  if (isExplained) return explain(inputs, options);
  const report = await withEngine("inspect", options, (engine, hooks) =>
    engine.inspect(inputs, { ...hooks, decompress }),
  );
  const total = totalOf(report.images);
  if (options.json) await printJson("inspect", { ...report, folders, total });
  else await print(`${describeImages(report, total)}${folders.map(describeFolder).join("")}`);
}

/** By content; what cannot be read is left to the engine, which says why. */
async function isArchive(path: string): Promise<boolean> {
  const handle = await open(path).catch(() => undefined);
  try {
    const { buffer } = (await handle?.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0)) ?? {};
    return buffer?.toString("latin1") === MAGIC;
  } catch {
    return false;
  } finally {
    await handle?.close();
  }
}

function totalOf(images: readonly ImageFound[]): ImageFound {
  const sum = (key: "byteLength" | "frameCount" | (typeof FOUND)[number][0]) =>
    images.reduce((total, image) => total + image[key], 0);
  return {
    name: "total",
    format: "",
    byteLength: sum("byteLength"),
    frameCount: sum("frameCount"),
    zero: sum("zero"),
    uniform: sum("uniform"),
    duplicateInside: sum("duplicateInside"),
    duplicateAcross: sum("duplicateAcross"),
    similar: sum("similar"),
    distinct: sum("distinct"),
  };
}

const FOUND = [
  ["zero", "zero"],
  ["uniform", "uniform"],
  ["duplicateInside", "dup inside"],
  ["duplicateAcross", "dup across"],
  ["distinct", "distinct"],
  ["similar", "similar"],
] as const;

const right = (title: string) => ({ title, align: "right" as const });
const left = (title: string) => ({ title, align: "left" as const });

/** A row of MiB for each image and their sum, and below it the same as shares. */
function describeImages({ images, elapsedMs }: InspectReport, total: ImageFound): string {
  const columns = [right("MiB"), ...FOUND.map(([, title]) => right(title)), left("image")];
  const rows = images.flatMap((image) => twoRows(image, described(image)));
  if (images.length > 1) rows.push(...twoRows(total, formatCount(images.length, "image")));
  const size = `${formatBytes(total.byteLength)}, ${formatDuration(elapsedMs)}`;
  return `${formatTable(columns, rows)}${size}, ${formatRate(total.byteLength, elapsedMs)}\n`;
}

/** The name, and in brackets what kind of image it is, if it is not plain raw memory. */
function described({ name, ...image }: ImageFound): string {
  const { format, decompressed, rangeCount, kernelRelease } = image;
  const facts = [
    format === "raw" ? "" : format,
    decompressed ?? "",
    rangeCount === undefined ? "" : formatCount(rangeCount, "range"),
    kernelRelease === undefined ? "" : `Linux ${kernelRelease}`,
  ].filter((fact) => fact !== "");
  return printable(facts.length === 0 ? name : `${name}  (${facts.join(", ")})`);
}

function describeFolder({ name, processCount, pageCount }: ImageFolder): string {
  const processes = formatCount(processCount, "process", "processes");
  return `${printable(name)}: CRIU images, ${processes}, ${formatCount(pageCount, "page")}\n`;
}

function twoRows(image: ImageFound, title: string): string[][] {
  const mib = (byteCount: number) => (byteCount / 2 ** 20).toFixed(1);
  return [
    [mib(image.byteLength), ...FOUND.map(([key]) => mib(image[key] * PAGE_BYTES)), title],
    ["", ...FOUND.map(([key]) => formatPercent(image[key], image.frameCount)), ""],
  ];
}

async function inspectArchive(path: string, { json, keyFile }: Options): Promise<void> {
  await using archive = await openArchive(path, { key: await readKey(keyFile) });
  const usage = await archive.usage(interrupt.signal);
  const { images, generation, byteLength } = archive;
  const counts = totalCounts(images);
  const sum = (key: "byteLength" | "storedBytes") =>
    images.reduce((total, image) => total + image[key], 0);
  const [imageBytes, storedBytes] = [sum("byteLength"), sum("storedBytes")];
  if (json) {
    const totals = { imageBytes, storedBytes, counts };
    return printJson("inspect-archive", {
      archive: path,
      generation,
      byteLength,
      ...totals,
      usage,
    });
  }
  const ratio = formatRatio(imageBytes, byteLength);
  const what = `${formatCount(images.length, "image")}, ${formatBytes(imageBytes)}`;
  const lines = [
    `${printable(path)}: ${what} in ${formatBytes(byteLength)} (${ratio})`,
    `, generation ${generation}\n`,
    formatTable([left(""), right(""), right("")], countRows(counts)),
  ];
  if (images.length > 0) {
    const rows = usage.map(({ name, clustersPerMiB, exclusiveBytes }) => [
      clustersPerMiB.toFixed(1),
      formatBytes(exclusiveBytes),
      printable(name),
    ]);
    lines.push(formatTable([right("clusters/MiB"), right("frees"), left("name")], rows));
  }
  await print(lines.join(""));
}
