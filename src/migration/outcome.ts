// How the migration of one guest has ended, as far as one side can know.

export type GuestOutcome =
  /** The target runs it. */
  | { readonly kind: "migrated"; readonly name: string; readonly streamBytes: number }
  /** Nothing has changed: the source has it. */
  | { readonly kind: "failed"; readonly name: string; readonly reason: string }
  /**
   * The target was told to take over, and has not answered. The source must not go on before
   * somebody has looked. `doubtMs`: since then.
   */
  | {
      readonly kind: "doubt";
      readonly name: string;
      readonly reason: string;
      readonly doubtMs: number;
    };
