// Where in whose stream we are: what errors of the folder begin with.
import { PagefoldError } from "../core/errors.ts";

export class StreamPlace {
  /** Bytes of the stream that were taken before the piece that is looked at. */
  taken = 0;
  readonly guest: string;

  constructor(guest: string) {
    this.guest = guest;
  }

  /** The stream is not what QEMU writes. */
  fail(reason: string, at = 0): never {
    throw new PagefoldError(
      "DAMAGED",
      `${this.guest}: migration stream, near byte ${this.taken + at}: ${reason}`,
    );
  }

  /** The stream is right, but of a kind that cannot be folded. */
  refuse(reason: string): never {
    throw new PagefoldError("FORMAT", `${this.guest}: ${reason}`);
  }

  refuseCapability(capability: string): never {
    return this.refuse(`${capability} is on: turn off the capability ${capability}`);
  }
}
