// How long what racks share lives, wherever it is kept. Entries of the index go before the pages
// they speak of: a look-up that says "stored" is believed for a while.

/** An index entry, from when it was made; a little shorter where entries share a key. */
export const ENTRY_LIFE_MS = 10 * 60_000;
/** A page in the store of a rack. */
export const PAGE_LIFE_MS = 20 * 60_000;
/** The names of a rack's sessions, and its counts. */
export const RACK_LIFE_MS = 30 * 24 * 3_600_000;
/** A session that has called nothing for so long is taken for dead. */
export const MEMBER_LIFE_MS = 5000;
/** A want that was answered by nothing in this time may be told again. Up to a second longer. */
export const WANT_AGAIN_MS = 2000;
/** Wants of one session that wait to be taken; those beyond are not told. */
export const MAX_WANTS = 65_536;
