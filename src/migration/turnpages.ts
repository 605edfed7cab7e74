// Pages of a guest's batches that wait for their turn at the target. While the turn before them
// waits for content that has to come over the same session, they give their slabs back: whoever
// brings that content needs one.
import type { UnfoldedPages } from "../pipeline/unfold.ts";

/** Pages of one batch: in a slab, or in memory of their own. */
export interface TurnPages {
  readonly pages: UnfoldedPages;
}

export class PagesInTurn {
  private readonly inSlabs = new Set<{ pages: UnfoldedPages }>();
  private isWaiting = false;

  /** Takes pages as soon as they are restored, long before their turn. */
  add(restoring: Promise<UnfoldedPages>): Promise<TurnPages> {
    const taken = restoring.then((pages) => {
      const held = { pages };
      this.inSlabs.add(held);
      if (this.isWaiting) this.leaveSlabs();
      return held;
    });
    // It is seen in its turn.
    taken.catch(() => undefined);
    return taken;
  }

  /** Their turn is over. */
  release(held: TurnPages): void {
    this.inSlabs.delete(held);
    held.pages.release();
  }

  /** Until `content` has come no pages stay in slabs. It never rejects. */
  async wait(content: () => Promise<void>): Promise<void> {
    this.isWaiting = true;
    this.leaveSlabs();
    await content();
    this.isWaiting = false;
  }

  private leaveSlabs(): void {
    for (const held of this.inSlabs) {
      const copy = held.pages.copy();
      held.pages.release();
      held.pages = copy;
    }
    this.inSlabs.clear();
  }
}
