// An epoch that arrives in parts: its patches go into a draft of the store, as blocks of the memory
// before it or as the pages of a new one, and its device state is put together.
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { applyPage, openPatch } from "./patch.ts";
import type { ReplicaStore } from "./store.ts";
import type { EpochDraft } from "./storedraft.ts";
import { MAX_DEVICE_STATE_BYTES } from "./storeepoch.ts";
import type { FullDraft } from "./storefull.ts";
import { ramBytesOf } from "./storeidentity.ts";

type Draft =
  | { readonly isFull: false; readonly draft: EpochDraft }
  | { readonly isFull: true; readonly draft: FullDraft };

export class IncomingEpoch {
  readonly epoch: number;
  pageCount = 0;
  private readonly kind: Draft;
  private readonly frameCount: number;
  private readonly deviceParts: Uint8Array[] = [];
  private deviceBytes = 0;

  static async begin(store: ReplicaStore, epoch: number, isFull: boolean): Promise<IncomingEpoch> {
    const kind: Draft = isFull
      ? { isFull, draft: await store.beginFull(epoch) }
      : { isFull, draft: await store.begin(epoch) };
    return new IncomingEpoch(epoch, kind, ramBytesOf(store.identity) / PAGE_BYTES);
  }

  private constructor(epoch: number, kind: Draft, frameCount: number) {
    this.epoch = epoch;
    this.kind = kind;
    this.frameCount = frameCount;
  }

  get isFull(): boolean {
    return this.kind.isFull;
  }

  async patch(bytes: Uint8Array): Promise<void> {
    const patch = openPatch(bytes, this.frameCount, `epoch ${this.epoch}: a patch`);
    this.pageCount += patch.pageCount;
    if (!this.kind.isFull) return this.kind.draft.write(bytes);
    const { frames, pageCount } = patch;
    for (let first = 0; first < pageCount; ) {
      let end = first + 1;
      while (end < pageCount && frames[end] === frames[end - 1] + 1) end++;
      const pages = new Uint8Array((end - first) * PAGE_BYTES);
      for (let i = first; i < end; i++) applyPage(patch, i, pages, (i - first) * PAGE_BYTES);
      await this.kind.draft.write(frames[first], pages);
      first = end;
    }
  }

  devices(content: Uint8Array): void {
    this.deviceBytes += content.length;
    if (this.deviceBytes > MAX_DEVICE_STATE_BYTES) {
      const reason = `more than ${MAX_DEVICE_STATE_BYTES} bytes of device state`;
      throw new PagefoldError("LIMIT", `epoch ${this.epoch}: ${reason}`);
    }
    this.deviceParts.push(content.slice());
  }

  /** Resolves when it is durable; MISMATCH when it is not the memory of this checksum. */
  commit(checksum: Uint8Array, timeMs: number): Promise<void> {
    const deviceState = Buffer.concat(this.deviceParts);
    return this.kind.draft.commit({ checksum, deviceState, timeMs });
  }

  async abandon(): Promise<void> {
    await this.kind.draft.abandon();
  }
}
