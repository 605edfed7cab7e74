// Fetches the pages that a plan names as candidates: from a file, from a slab still in flight, or
// from a stored slot. A page that cannot be had is simply no candidate any more.
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import {
  Action,
  CANDIDATE_BYTES,
  CANDIDATES_OFFSET,
  From,
  PLAN_BYTES,
  slabPart,
} from "../core/slab.ts";
import { readSlot } from "./slot.ts";
import { readFully } from "./surveytask.ts";
import type { EncodeTask, TaskContext } from "./task.ts";

export class CandidateReader {
  private readonly context: TaskContext;
  private readonly task: EncodeTask;
  private readonly plan: number;
  /** Pages before this one have been read ahead into the candidate pages. */
  private readUntil = 0;

  constructor(context: TaskContext, task: EncodeTask) {
    this.context = context;
    this.task = task;
    this.plan = slabPart(task.slabPtr, "plan");
  }

  /**
   * Address of the content that `page` is supposed to equal, 0 if it cannot be had. Valid for the
   * whole batch. Pages are asked for in order.
   */
  duplicate(page: number): number {
    const { view, scratch } = this.context;
    const at = this.candidate(page, 0);
    const target = scratch.candidates + page * PAGE_BYTES;
    switch (view.getUint32(at, true)) {
      case From.MEMORY:
        return view.getFloat64(at + 8, true);
      case From.FILE:
        if (page >= this.readUntil) this.readAhead(page);
        return page < this.readUntil ? target : 0;
      default:
        return this.slot(at, target) ? target : 0;
    }
  }

  /**
   * Puts candidate `index` of `page` at `target`. False if it cannot be had, or is no longer what
   * it was when it was surveyed.
   */
  reference(page: number, index: number, target: number): boolean {
    const { view, bytes, kernels, scratch } = this.context;
    const at = this.candidate(page, index);
    switch (view.getUint32(at, true)) {
      case From.MEMORY: {
        const source = view.getFloat64(at + 8, true);
        bytes.copyWithin(target, source, source + PAGE_BYTES);
        return true;
      }
      case From.FILE: {
        if (!this.read(at, target)) return false;
        kernels.fingerprintPages(target, 1, scratch.results);
        const low = view.getBigUint64(scratch.results, true);
        const high = view.getBigUint64(scratch.results + 8, true);
        return (
          low === view.getBigUint64(at + 32, true) && high === view.getBigUint64(at + 40, true)
        );
      }
      default:
        return this.slot(at, target);
    }
  }

  private candidate(page: number, index: number): number {
    return this.plan + page * PLAN_BYTES + CANDIDATES_OFFSET + index * CANDIDATE_BYTES;
  }

  private slot(at: number, target: number): boolean {
    const cluster = this.context.view.getFloat64(at + 8, true);
    const item = this.context.view.getUint32(at + 20, true);
    try {
      return readSlot(this.context, this.task.places, cluster, item, target);
    } catch (error) {
      // The archive that is appended to is damaged there: the page is stored again.
      if (error instanceof PagefoldError) return false;
      throw error;
    }
  }

  private read(at: number, target: number): boolean {
    const { view, bytes } = this.context;
    const byteLength = view.getUint32(at + 16, true);
    const fd = view.getUint32(at + 4, true);
    const got = readFully(bytes, fd, target, byteLength, view.getFloat64(at + 8, true));
    bytes.fill(0, target + byteLength, target + PAGE_BYTES);
    return got === byteLength;
  }

  /** Reads the candidates of `page` and of the pages behind it that follow in the same file. */
  private readAhead(page: number): void {
    const { view, bytes, scratch } = this.context;
    const first = this.candidate(page, 0);
    const fd = view.getUint32(first + 4, true);
    const byteOffset = view.getFloat64(first + 8, true);
    let byteLength = view.getUint32(first + 16, true);
    let next = page + 1;
    while (
      byteLength === (next - page) * PAGE_BYTES &&
      this.follows(next, fd, byteOffset + byteLength)
    ) {
      byteLength += view.getUint32(this.candidate(next, 0) + 16, true);
      next++;
    }
    const target = scratch.candidates + page * PAGE_BYTES;
    const got = readFully(bytes, fd, target, byteLength, byteOffset);
    bytes.fill(0, target + got, target + (next - page) * PAGE_BYTES);
    this.readUntil = got === byteLength ? next : page;
  }

  private follows(page: number, fd: number, byteOffset: number): boolean {
    const { view } = this.context;
    if (page >= this.task.pageCount) return false;
    if (view.getUint32(this.plan + page * PLAN_BYTES, true) !== Action.VERIFY) return false;
    const at = this.candidate(page, 0);
    return (
      view.getUint32(at, true) === From.FILE &&
      view.getUint32(at + 4, true) === fd &&
      view.getFloat64(at + 8, true) === byteOffset
    );
  }
}
