// Captures the memory of a running process into a file: an ELF core as gdb's gcore writes it, or
// the bare bytes. It changes nothing in the process, except that it can pause it meanwhile.
import { PagefoldError } from "../../core/errors.ts";
import { coreHeadBytes, encodeCoreHead } from "../elfcore.ts";
import { SparseFile } from "../sparsefile.ts";
import { collectNotes, coreMachine } from "./corenotes.ts";
import { exclusionOf, type Mapping, mappingBytes } from "./maps.ts";
import { type AddressRange, type CapturedMapping, MemoryCopy } from "./memorycopy.ts";
import { pauseProcess } from "./pause.ts";
import { isStopped } from "./process.ts";
import { ProcessMemory } from "./processmemory.ts";

/** A core as gcore writes it, or the bare memory. */
export type CaptureFormat = "elf" | "raw";

/** How to capture. */
export interface CaptureOptions {
  /** "elf" keeps addresses; "raw" is the mappings one after another. */
  readonly format?: CaptureFormat;
  /** Stop the process meanwhile: a picture of one moment. Otherwise the process runs on. */
  readonly pause?: boolean;
  /** Replace an existing file. */
  readonly force?: boolean;
  /** Ends the capture; it rejects with the signal's reason and leaves no file. */
  readonly signal?: AbortSignal | undefined;
  /** Told how far the capture is. */
  readonly onProgress?: ((progress: CaptureProgress) => void) | undefined;
}

/** How far a capture is, in bytes of address space. */
export interface CaptureProgress {
  /** Read so far. */
  readonly doneBytes: number;
  /** To be read. */
  readonly totalBytes: number;
}

/** What a capture wrote. */
export interface CaptureReport {
  /** As given. */
  readonly pid: number;
  /** As the kernel calls it (comm), at most 15 bytes. */
  readonly processName: string;
  /** The file, as given. */
  readonly path: string;
  /** Of the file. */
  readonly format: CaptureFormat;
  /** Of the file, holes included. */
  readonly byteLength: number;
  /** Of the file without its holes. */
  readonly storedBytes: number;
  /** The mappings in the order of the file. */
  readonly mappings: readonly CapturedMapping[];
  /** Ranges that could not be read; they are holes, or missing at the end of their mapping. */
  readonly unreadable: readonly AddressRange[];
  /** Mappings that are left out on purpose, as gcore does. */
  readonly excluded: readonly AddressRange[];
  /** How long we had the process stopped; 0 when we had not. */
  readonly pausedMs: number;
  /** What the user should know, one line each. */
  readonly warnings: readonly string[];
}

const DEFAULTS = { format: "elf", pause: false, force: false } as const;

/**
 * Writes the memory of process `pid` to a new file at `path`, mode 0600. On any failure no file is
 * left and a paused process runs on. Rejects with PROCESS, OUTPUT or USAGE, or with the reason of
 * `signal`.
 */
export async function captureProcess(
  pid: number,
  path: string,
  options: CaptureOptions = {},
): Promise<CaptureReport> {
  const settings = { ...DEFAULTS, ...options };
  if (!Number.isInteger(pid) || pid < 1 || pid > 0x7fffffff) {
    throw new PagefoldError("USAGE", `${pid} is not a process id`);
  }
  if (settings.format === "elf" && coreMachine() === undefined) {
    throw new PagefoldError("USAGE", `no ELF cores on ${process.arch}; the format raw is possible`);
  }
  settings.signal?.throwIfAborted();
  const memory = await ProcessMemory.open(pid);
  try {
    const file = await SparseFile.create(path, { force: settings.force });
    try {
      const report = await (settings.pause ? copyPaused : copyLive)(memory, file, settings);
      await file.commit(report.byteLength);
      return report;
    } catch (error) {
      await file.discard();
      throw error;
    }
  } finally {
    await memory.close();
  }
}

type Settings = CaptureOptions & { readonly format: CaptureFormat };

async function copyPaused(
  memory: ProcessMemory,
  file: SparseFile,
  settings: Settings,
): Promise<CaptureReport> {
  const { pid, name } = memory.stat;
  const startMs = performance.now();
  const paused = await pauseProcess(pid, settings.signal);
  try {
    const report = await copyLive(memory, file, settings);
    const warnings: string[] = [];
    if (!paused.stoppedByUs) warnings.push(`process ${pid} (${name}) was stopped already`);
    if (!(await isStopped(pid))) {
      warnings.push(`process ${pid} (${name}) was continued by somebody while it was read`);
    }
    const pausedMs = paused.stoppedByUs ? performance.now() - startMs : 0;
    return { ...report, warnings, pausedMs };
  } finally {
    await paused.resume();
  }
}

async function copyLive(
  memory: ProcessMemory,
  file: SparseFile,
  { format, signal, onProgress }: Settings,
): Promise<CaptureReport> {
  const { stat } = memory;
  const { included, excluded } = sift(await memory.mappings());
  const machine = format === "elf" ? coreMachine() : undefined;
  const notes = machine && (await collectNotes(stat, machine, included));
  const copy = new MemoryCopy(
    memory,
    file,
    notes ? coreHeadBytes(notes.length, included.length) : 0,
  );
  const totalBytes = included.reduce((sum, mapping) => sum + mappingBytes(mapping), 0);
  let doneBytes = 0;
  for (const mapping of included) {
    await copy.add(mapping, (byteLength) => {
      signal?.throwIfAborted();
      doneBytes += byteLength;
      onProgress?.({ doneBytes, totalBytes });
    });
  }
  // Last, for only now it is known how much of each mapping could be read.
  if (machine && notes) await file.write(0, encodeCoreHead(machine.id, notes, copy.mappings));
  return {
    pid: stat.pid,
    processName: stat.name,
    path: file.path,
    format,
    byteLength: copy.fileEnd,
    storedBytes: file.storedBytes,
    mappings: copy.mappings,
    unreadable: copy.unreadable,
    excluded,
    pausedMs: 0,
    warnings: [],
  };
}

function sift(mappings: readonly Mapping[]): { included: Mapping[]; excluded: AddressRange[] } {
  const included: Mapping[] = [];
  const excluded: AddressRange[] = [];
  for (const mapping of mappings) {
    const why = exclusionOf(mapping);
    if (why === undefined) included.push(mapping);
    else {
      const reason = mapping.name === "" ? why : `${mapping.name} ${why}`;
      excluded.push({ address: mapping.start, byteLength: mappingBytes(mapping), reason });
    }
  }
  return { included, excluded };
}
