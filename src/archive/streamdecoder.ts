// The decoder: the bytes of an encoder (or of an archive) into page sinks, in the calling thread.
import { tmpdir } from "node:os";
import type { Decoder } from "../api.ts";
import { PagefoldError } from "../core/errors.ts";
import { followStream } from "./followstream.ts";
import { framesOf } from "./index.ts";

/** What engines lend to those who read forwards. */
export interface StreamParts {
  /** Compressed clusters that may be kept in memory; more go to a nameless file. */
  readonly storeBytes: number;
  /** The kernels, for bundlers; default: shipped with the package. */
  readonly wasm?: Uint8Array | URL | undefined;
}

/**
 * A decoder needs no worker. Its stream may end after any complete round: whoever sends it knows
 * whether there is more to come.
 */
export function openDecoder(parts: StreamParts): Decoder {
  const closing = new AbortController();
  const close = async (): Promise<void> => {
    closing.abort(new PagefoldError("USAGE", "the decoder was closed"));
  };
  return {
    async decode(bytes, sinkOf, options = {}) {
      const signals = [closing.signal, ...(options.signal ? [options.signal] : [])];
      const signal = AbortSignal.any(signals);
      const visitor = {
        begin: async (head: Parameters<typeof describe>[0]) => ({
          sink: await sinkOf(...describe(head)),
        }),
        ended: async () => undefined,
      };
      const storeDirectory = tmpdir();
      const { key } = options;
      const following = { ...parts, storeDirectory, isOpenEnded: true, key, signal };
      await followStream(bytes, visitor, following);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function describe(head: {
  name: string;
  byteLength: number | undefined;
  segmentBytes: number[];
  base?: { name: string };
}): [name: string, frameCount: number | undefined] {
  const { name, byteLength, segmentBytes, base } = head;
  if (base) {
    const reason = `was made against ${base.name}; decoders have no base`;
    throw new PagefoldError("BASE", `${name}: ${reason}`);
  }
  return [name, byteLength === undefined ? undefined : framesOf(byteLength, segmentBytes)];
}
