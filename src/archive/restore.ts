// A restore session: the memory for the places of an archive's clusters and for the fingerprints
// of what is restored, and the workers that do it. Used by unpack, with files, and by verify,
// without.
import type { Region } from "../core/arena.ts";
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { PLACE_BYTES } from "../core/slab.ts";
import { FINGERPRINT_BYTES } from "../kernels/abi.ts";
import { IMAGE_CHECKSUM_SCRATCH_BYTES, ImageChecksum } from "../pipeline/imagechecksum.ts";
import type { EngineResources } from "../pipeline/resources.ts";
import { RESTORE_RUN_BYTES, type RunPlan } from "../pool/restorerun.ts";
import type { PlacesRegion, RestoreBase, TaskFault } from "../pool/task.ts";
import type { ClusterPlace } from "../wire/indexhead.ts";
import type { OpenBase } from "./basefile.ts";
import { writePlaces } from "./clusterplaces.ts";
import type { ArchiveIndex } from "./index.ts";
import { type LostRun, type Piece, type PlanMemory, RestorePlan } from "./restoreplan.ts";

/** Part of what is free that the frames of a group may take. */
const GROUP_SHARE = 0.5;
/** What a frame takes at most: its fingerprint, a run of its own and the place of that. */
const FRAME_BYTES = FINGERPRINT_BYTES + RESTORE_RUN_BYTES + 4;
/** Tasks that wait for each thread. */
const TASKS_AHEAD = 3;

export class RestoreSession {
  /** Frames that can be restored together. */
  readonly maxFrames: number;
  private readonly resources: EngineResources;
  private readonly index: ArchiveIndex;
  private readonly base: RestoreBase | undefined;
  private readonly signal: AbortSignal | undefined;
  private readonly places: PlacesRegion;
  private readonly regions: Region[] = [];
  /** By cluster: 1 where the index says that it holds deltas. */
  private readonly deltas: Uint8Array;
  private readonly planMemory: PlanMemory;
  private readonly fingerprintsPtr: number;
  private readonly scratchPtr: number;

  private constructor(
    resources: EngineResources,
    index: ArchiveIndex,
    base: OpenBase | undefined,
    frames: number,
    signal: AbortSignal | undefined,
  ) {
    const { arena } = resources;
    this.resources = resources;
    this.index = index;
    this.signal = signal;
    this.base = base && {
      fd: base.file.fd,
      segments: base.file.segments.flatMap((segment) => [segment.byteOffset, segment.byteLength]),
    };
    const placesBytes = Math.max(index.clusterCount, 1) * PLACE_BYTES;
    const ptr = this.reserve(placesBytes, "places of clusters");
    const { seals } = index;
    this.places = { session: arena.nextSession(), ptr, count: index.clusterCount, seals };
    this.scratchPtr = this.reserve(IMAGE_CHECKSUM_SCRATCH_BYTES, "image checksum");
    this.deltas = new Uint8Array(index.clusterCount);
    const firstsPtr = this.reserve(Math.max(index.clusterCount, 1) * 4, "clusters");
    const affordable = (arena.largestFreeBytes * GROUP_SHARE) / FRAME_BYTES;
    // Whole nodes of the checksum's tree, so that pieces of an image follow one another.
    this.maxFrames = Math.max(256, Math.floor(Math.min(affordable, frames + 255) / 256) * 256);
    this.fingerprintsPtr = this.reserve(this.maxFrames * FINGERPRINT_BYTES, "fingerprints");
    this.planMemory = {
      words: arena.words,
      runsPtr: this.reserve(this.maxFrames * RESTORE_RUN_BYTES, "runs"),
      orderPtr: this.reserve(this.maxFrames * 4, "order of runs"),
      firstsPtr,
    };
  }

  /** `frames` are all that will be restored, in any number of groups. */
  static async open(
    resources: EngineResources,
    fd: number,
    index: ArchiveIndex,
    base: OpenBase | undefined,
    frames: number,
    signal: AbortSignal | undefined,
  ): Promise<RestoreSession> {
    const session = resources.arena.allOrNothing(
      () => new RestoreSession(resources, index, base, frames, signal),
    );
    try {
      await session.fillPlaces(fd);
      return session;
    } catch (error) {
      session.close();
      throw error;
    }
  }

  /** An empty checksum; pieces of one image are added in frame order. */
  newChecksum(): ImageChecksum {
    const { kernels, memory } = this.resources;
    return new ImageChecksum(kernels, memory, this.scratchPtr);
  }

  /**
   * Restores pieces, `maxFrames` frames at most together. Returns what cannot be had. Afterwards
   * `fingerprints` has those of each piece.
   */
  async restore(
    pieces: readonly Omit<Piece, "fingerprintsPtr">[],
    advance: (bytes: number) => void,
  ): Promise<{ lost: LostRun[]; pieces: Piece[]; writtenBytes: number }> {
    const plan = new RestorePlan(this.planMemory, this.deltas);
    const placed: Piece[] = [];
    let ptr = this.fingerprintsPtr;
    for (const piece of pieces) {
      const own = { ...piece, fingerprintsPtr: ptr };
      placed.push(own);
      ptr += piece.frameCount * FINGERPRINT_BYTES;
      await plan.add(this.index, own, this.signal);
    }
    this.fillWithZeros(ptr);
    const runs = plan.arrange();
    const { lost } = plan;
    for (const isDeltas of [false, true]) {
      lost.push(...(await this.runTasks(plan, runs, isDeltas, advance)));
    }
    return { lost, pieces: placed, writtenBytes: plan.writtenBytes };
  }

  /** Fingerprints of a piece that was restored last, as a view. */
  fingerprints(piece: Piece): Uint8Array {
    const byteLength = piece.frameCount * FINGERPRINT_BYTES;
    return this.resources.arena.at(piece.fingerprintsPtr, byteLength);
  }

  close(): void {
    for (const region of this.regions) this.resources.arena.release(region);
  }

  private async runTasks(
    plan: RestorePlan,
    runs: RunPlan,
    isDeltas: boolean,
    advance: (bytes: number) => void,
  ): Promise<LostRun[]> {
    const { pool } = this.resources;
    const { places, base } = this;
    const lost: LostRun[] = [];
    const running = new Set<Promise<void>>();
    let failure: { reason: unknown } | undefined;
    for (const { first, end, byteLength } of spread([...plan.tasks(isDeltas)], pool.threads)) {
      if (this.signal?.aborted) failure ??= { reason: this.signal.reason };
      if (failure) break;
      const done = pool
        .run({ kind: "restore", places, plan: runs, first, end, isDeltas, base })
        .then(({ faults, fault }) => {
          if (fault) throw writeError(fault, plan);
          for (const { run, reason } of faults) lost.push({ ...plan.framesOf(run), reason });
          advance(byteLength);
        })
        .catch((reason) => {
          failure ??= { reason };
        })
        .finally(() => running.delete(done));
      running.add(done);
      if (running.size >= TASKS_AHEAD * Math.max(pool.threads, 1)) await Promise.race(running);
    }
    await Promise.all(running);
    if (failure) throw failure.reason;
    this.signal?.throwIfAborted();
    return lost;
  }

  /** Frames are zero unless a run says otherwise: gives all up to `end` that fingerprint. */
  private fillWithZeros(end: number): void {
    const { arena, kernels } = this.resources;
    const { fingerprintsPtr, scratchPtr } = this;
    if (end === fingerprintsPtr) return;
    arena.bytes.fill(0, scratchPtr, scratchPtr + PAGE_BYTES);
    kernels.fingerprintPages(scratchPtr, 1, fingerprintsPtr);
    for (let filled = fingerprintsPtr + FINGERPRINT_BYTES; filled < end; ) {
      const length = Math.min(filled - fingerprintsPtr, end - filled);
      arena.bytes.copyWithin(filled, fingerprintsPtr, fingerprintsPtr + length);
      filled += length;
    }
  }

  private async fillPlaces(fd: number): Promise<void> {
    const { view } = this.resources.arena;
    const visit = (cluster: number, { isDeltas }: ClusterPlace): void => {
      this.deltas[cluster] = isDeltas ? 1 : 0;
    };
    await writePlaces(view, this.places.ptr, this.index, fd, visit, this.signal);
  }

  private reserve(byteLength: number, purpose: string): number {
    const region = this.resources.arena.reserve(byteLength, purpose);
    this.regions.push(region);
    return region.ptr;
  }
}

/** Neighbours, which are mostly of one file, far apart: who writes to a file locks others out. */
function* spread<T>(tasks: readonly T[], threads: number): Generator<T> {
  const stride = Math.ceil(tasks.length / Math.max(threads, 1));
  for (let start = 0; start < stride; start++) {
    for (let at = start; at < tasks.length; at += stride) yield tasks[at];
  }
}

function writeError(fault: TaskFault & { run?: number }, plan: RestorePlan): Error {
  const { run = -1 } = fault;
  const path = run < 0 ? "unpack" : plan.framesOf(run).piece.path;
  return new PagefoldError("OUTPUT", `${path}: ${fault.reason}`);
}
