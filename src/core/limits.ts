// Limits of the format (docs/format.md §4). Decoders check against these before they allocate.

export const MAX_BATCH_FRAMES = 1 << 20;
export const MAX_BATCH_CLUSTERS = 8192;
export const MAX_CLUSTER_BYTES = 1 << 20;
/** A cluster with its header is never longer: content that does not shrink is stored raw. */
export const MAX_CLUSTER_ENTRY_BYTES = 2 * MAX_CLUSTER_BYTES;
export const MAX_CLUSTER_ITEMS = 256;
export const MAX_HEAD_BYTES = 4 << 20;
export const MAX_IMAGES = 1 << 24;
export const MAX_FRAMES = 2 ** 40;
export const MAX_CLUSTERS = 0xffff_fffe;
export const MAX_NAME_BYTES = 4096;
export const MAX_NOTES = 1024;
export const MAX_NOTE_KEY_BYTES = 256;
export const MAX_NOTE_VALUE_BYTES = 65_536;
export const MAX_SEGMENTS = 1 << 20;

// Limits of a session (docs/session.md).

export const MAX_GUESTS = 4096;
export const MAX_SESSION_HEAD_BYTES = 1 << 20;
/** What 512 pages take at most, each in a cluster of its own. */
export const MAX_SESSION_BODY_BYTES = 4 << 20;
/** Pages of one BATCH. */
export const MAX_SESSION_PAGES = 512;
/** Bytes of a stream that one BATCH stands for. */
export const MAX_SESSION_STREAM_BYTES = 4 << 20;
