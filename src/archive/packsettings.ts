// What all images of a pack have in common, and what an IMAGE says of each.
import type { Arena } from "../core/arena.ts";
import type { BaseReference, ImageHead } from "../wire/imagehead.ts";

/** What all images of a pack have in common. */
export interface ImageSettings {
  readonly arena: Arena;
  readonly base: BaseReference | undefined;
  readonly sha256: boolean;
  readonly expectedSha256: ReadonlyMap<string, string> | undefined;
  readonly signal: AbortSignal | undefined;
  readonly warn: (message: string) => void;
  /** Told of every emitted batch. */
  readonly advance: (name: string, inputBytes: number) => void;
}

/** What an IMAGE says besides name, notes and base. */
export type ImageFacts = Omit<ImageHead, "image" | "name" | "notes" | "base">;
