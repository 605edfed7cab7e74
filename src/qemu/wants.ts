// What the generators that follow a stream ask of the folder, and what it tells its user.

/** What stops `fold`, so that somebody can act on it. */
export type StreamEvent =
  /** The command to open the return path was passed. */
  | "returnPath"
  /** The last memory of a paused guest was passed; devices follow. */
  | "ramEnd"
  /** The packaged devices of post-copy follow: with them the target may run. */
  | "package"
  /** They were passed: once they are released the guest runs at the target. */
  | "packageEnd"
  /** Nothing may follow. */
  | "end";

/** What of its stream a guest has sent. */
export type StreamPhase = "head" | "ram" | "device" | "postcopy" | "ended";

/** What the generator asks for. It is resumed with the bytes of `need` and `more`. */
export type Want =
  /** So many bytes. */
  | { readonly kind: "need"; readonly count: number }
  /** So many bytes behind those of the last `need`, none of which are passed on yet. */
  | { readonly kind: "more"; readonly count: number }
  /** Pass so many bytes. */
  | { readonly kind: "pass"; readonly count: number }
  /** Records of RAM, up to the end of a part. */
  | { readonly kind: "ram"; readonly isLast: boolean }
  /** Devices, up to the end. */
  | { readonly kind: "devices" }
  /** Stop, before the bytes of the last `need` are passed on if they are held. */
  | { readonly kind: "event"; readonly event: StreamEvent; readonly isHeld?: true };

/** A generator that is resumed with the bytes it needed. */
export type Steps<T> = Generator<Want, T, Uint8Array>;

export const need = (count: number): Want => ({ kind: "need", count });

export function read32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

/** At most 2^53 exactly; what is more is more than any limit anyway. */
export function read64(bytes: Uint8Array): number {
  return read32(bytes, 0) * 2 ** 32 + read32(bytes, 4);
}
