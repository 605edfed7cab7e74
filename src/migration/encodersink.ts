// The way to the target through an encoder of the engine and any stream of bytes that ends in a
// decoder there. It paces what is written; how target and source agree in the end is the caller's.
import type { Encoder } from "../api.ts";
import { orAbort } from "../core/abort.ts";
import { RateLimit } from "../transport/rate.ts";
import { type Clock, MACHINE_CLOCK } from "./adaptiverate.ts";
import type { RoundSink } from "./precopyapi.ts";

/** The stream of bytes, and what the target answers outside of it. */
export interface EncoderSinkOptions {
  encoder: Encoder;
  /** The name of the guest among the images of the encoder. */
  name: string;
  /**
   * Writes a piece; resolves when the next one may come, which is what holds the encoder back. What
   * waits in buffers behind it counts as sent, so they should hold few milliseconds of the link.
   */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** As in `RoundSink`. A decoder has checked a round when it has read all of its bytes. */
  prepare?(signal?: AbortSignal): Promise<void>;
  commit(): Promise<void>;
  /** Default: the clock of the machine. */
  clock?: Clock | undefined;
}

/**
 * A sink for `precopy`. Several guests may share an encoder if their rounds run one after another.
 * The encoder is of no further use after a round that failed; closing it is the caller's.
 */
export function encoderSink(options: EncoderSinkOptions): RoundSink {
  const { encoder, name, clock = MACHINE_CLOCK } = options;
  const sink: RoundSink = {
    async round(pages, dirty, { bytesPerSecond, signal }) {
      const rate = new RateLimit(bytesPerSecond ?? Number.POSITIVE_INFINITY, {
        now: () => clock.now(),
      });
      const rounds = { ...(dirty && { dirty }), ...(signal && { signal }) };
      let wireBytes = 0;
      for await (const piece of encoder.stream(name, pages, rounds)) {
        wireBytes += piece.length;
        const waitMs = rate.take(piece.length);
        if (waitMs > 0) await clock.sleep(waitMs, signal);
        await orAbort(options.write(piece), signal);
      }
      return wireBytes;
    },
    commit: () => options.commit(),
  };
  const { prepare } = options;
  if (prepare) sink.prepare = (signal) => prepare.call(options, signal);
  return sink;
}
