// What a compression level means to the pipeline; its names are given elsewhere.

export interface LevelParameters {
  readonly clusterPages: number;
  /** COMPRESS_NONE … of the kernels. */
  readonly compress: number;
  /** The same for deltas, if they are compressed otherwise. */
  readonly compressDeltas?: number;
  /** How similar pages are found, see `AnchorView`. */
  readonly sampleBits: number;
  readonly minVotes: number;
}
