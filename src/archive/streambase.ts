// The base image of a stream that was made against one: opened and checked when the first image
// names it, before anything of that image is written.
import type { BaseInput } from "../api.ts";
import { PagefoldError } from "../core/errors.ts";
import type { ImageHead } from "../wire/imagehead.ts";
import { type BaseImage, openBase } from "./base.ts";

export class StreamBase implements AsyncDisposable {
  private readonly input: BaseInput | undefined;
  private readonly signal: AbortSignal | undefined;
  private opened: { readonly head: ImageHead; readonly image: BaseImage } | undefined;

  constructor(input: BaseInput | undefined, signal: AbortSignal | undefined) {
    this.input = input;
    this.signal = signal;
  }

  /** The base of an image, if it has one; BASE when it is missing or another one. */
  async of(head: ImageHead): Promise<BaseImage | undefined> {
    const { name, base } = head;
    if (!base) return undefined;
    if (!this.input) {
      throw new PagefoldError("BASE", `${name}: was made against ${base.name}, which is needed`);
    }
    if (!this.opened) {
      const image = await openBase(this.input, { name, base }, { signal: this.signal });
      this.opened = { head, image };
    }
    const other = this.opened.head;
    if (!Buffer.from(other.base?.checksum ?? []).equals(base.checksum)) {
      const reason = `${name} and ${other.name} were made against different images`;
      throw new PagefoldError("BASE", reason);
    }
    return this.opened.image;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.opened?.image.close();
  }
}
