// Listens to the return path, which passes verbatim: has the QEMU at the target said that it is
// done?
//
//   be16 type, be16 length, content; type 1 (SHUT): be32 0 when all went well

const HEAD_BYTES = 4;
const SHUT = 1;
const SHUT_BYTES = 4;

/** The message that a target says last; 0 when it runs the guest. */
export function encodeShut(value: number): Uint8Array {
  const message = new Uint8Array(HEAD_BYTES + SHUT_BYTES);
  const view = new DataView(message.buffer);
  view.setUint16(0, SHUT);
  view.setUint16(2, SHUT_BYTES);
  view.setUint32(HEAD_BYTES, value);
  return message;
}

export class ReturnPath {
  /** What SHUT said: 0 when all went well; undefined before it came. */
  shutValue: number | undefined;
  /** The head of a message and what SHUT carries. */
  private readonly head = new Uint8Array(HEAD_BYTES + SHUT_BYTES);
  private readonly view = new DataView(this.head.buffer);
  private headLength = 0;
  private skipBytes = 0;

  /** The target runs the guest and says nothing more. */
  get hasSucceeded(): boolean {
    return this.shutValue === 0;
  }

  /** Takes the next bytes from the target, cut anywhere. */
  take(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const skipped = Math.min(this.skipBytes, bytes.length - at);
      this.skipBytes -= skipped;
      at += skipped;
      if (at === bytes.length) return;
      this.head[this.headLength++] = bytes[at++];
      if (this.headLength >= HEAD_BYTES) this.look();
    }
  }

  private look(): void {
    const type = this.view.getUint16(0);
    const length = this.view.getUint16(2);
    const isShut = type === SHUT && length >= SHUT_BYTES;
    if (isShut && this.headLength < HEAD_BYTES + SHUT_BYTES) return;
    if (isShut) this.shutValue ??= this.view.getUint32(HEAD_BYTES);
    this.skipBytes = length - (this.headLength - HEAD_BYTES);
    this.headLength = 0;
  }
}
