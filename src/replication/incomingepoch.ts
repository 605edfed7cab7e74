// An epoch that arrives in parts: what they decode to goes into a draft of the store, as blocks of
// the memory before it or as the pages of a new one, and its device state is put together.
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import type { SealHead } from "../wire/epochheads.ts";
import type { EpochDecoder, HeldMemory } from "./epochdecoder.ts";
import type { EncodedPart } from "./memorypart.ts";
import { MAX_PART_BYTES } from "./partcodec.ts";
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
  private readonly store: ReplicaStore;
  private readonly decoder: EpochDecoder;
  private readonly frameCount: number;
  private readonly deviceParts: Uint8Array[] = [];
  private deviceBytes = 0;
  /** The device state of the epoch before, once it was needed. */
  private before: Promise<Uint8Array> | undefined;

  static async begin(
    store: ReplicaStore,
    epoch: number,
    isFull: boolean,
    decoder: EpochDecoder,
  ): Promise<IncomingEpoch> {
    const kind: Draft = isFull
      ? { isFull, draft: await store.beginFull(epoch) }
      : { isFull, draft: await store.begin(epoch) };
    return new IncomingEpoch(epoch, kind, store, decoder);
  }

  private constructor(epoch: number, kind: Draft, store: ReplicaStore, decoder: EpochDecoder) {
    this.epoch = epoch;
    this.kind = kind;
    this.store = store;
    this.decoder = decoder;
    this.frameCount = ramBytesOf(store.identity) / PAGE_BYTES;
  }

  get isFull(): boolean {
    return this.kind.isFull;
  }

  /** `what` names the part in messages. */
  async memory(part: EncodedPart, what: string): Promise<void> {
    const { kind, frameCount, isFull } = this;
    const held: HeldMemory = { frameCount, isFull, read: (frames) => kind.draft.read(frames) };
    for (const bytes of await this.decoder.memory(part, held, what)) await this.patch(bytes);
  }

  private async patch(bytes: Uint8Array): Promise<void> {
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

  async devices(part: EncodedPart, what: string): Promise<void> {
    const at = this.deviceBytes;
    const before = this.isFull ? undefined : await this.deviceStateBefore();
    const older = before?.subarray(at, at + MAX_PART_BYTES);
    const content = this.decoder.devices(part, older, what);
    this.deviceBytes += content.length;
    if (this.deviceBytes > MAX_DEVICE_STATE_BYTES) {
      const reason = `more than ${MAX_DEVICE_STATE_BYTES} bytes of device state`;
      throw new PagefoldError("LIMIT", `epoch ${this.epoch}: ${reason}`);
    }
    this.deviceParts.push(content.slice());
  }

  private deviceStateBefore(): Promise<Uint8Array> {
    this.before ??= this.store.deviceState();
    return this.before;
  }

  /** Resolves when it is durable; MISMATCH when it is not the memory of this checksum. */
  commit({ checksum, timeMs, output }: SealHead): Promise<void> {
    const deviceState = Buffer.concat(this.deviceParts);
    return this.kind.draft.commit({ checksum, deviceState, timeMs, output });
  }

  async abandon(): Promise<void> {
    await this.kind.draft.abandon();
  }
}
