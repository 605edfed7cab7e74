// One HTTP server of the demo, with its data set in memory: a store of users, a search index or a
// cache of files, as its argument says. It ends with the process that started it.
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const WORDS =
  "amber birch cedar delta ember fjord grove heath inlet jetty knoll larch maple north orchid " +
  "pine quartz river stone tundra upland valley willow yarrow zephyr";
const VOCABULARY = WORDS.split(" ");

/**
 * Numbers in [0, 1), the same for the same seed (mulberry32).
 * @param {number} seed
 */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * @param {() => number} random
 * @param {number} count
 */
function sentence(random, count) {
  const pick = () => VOCABULARY[Math.floor(random() * VOCABULARY.length)];
  return Array.from({ length: count }, pick).join(" ");
}

/** Users as objects, looked up by name, and the lines they were loaded from. */
function userStore() {
  const random = generator(1);
  const users = new Map();
  const lines = [];
  for (let id = 0; id < 30_000; id++) {
    const name = `${sentence(random, 1)}${id}`;
    const balance = Math.floor(random() * 1e6) / 100;
    const token = Math.floor(random() * 2 ** 48).toString(16);
    const line = JSON.stringify({ id, name, balance, token, about: sentence(random, 12) });
    lines.push(line);
    users.set(name, JSON.parse(line));
  }
  // What the machine itself makes up, unlike the data: it tells two servers of one program apart.
  const sessions = Array.from({ length: 10_000 }, () => crypto.randomUUID());
  const loaded = Buffer.from(lines.join("\n"));
  return () => ({ users: users.size, loadedBytes: loaded.length, sessions: sessions.length });
}

/** Documents and, for each word, where it stands in them. */
function searchIndex() {
  const random = generator(2);
  const documents = Array.from({ length: 15_000 }, () => sentence(random, 60));
  /** @type {Map<string, number[]>} */
  const places = new Map();
  documents.forEach((document, number) => {
    for (const word of document.split(" ")) {
      const found = places.get(word) ?? [];
      found.push(number);
      places.set(word, found);
    }
  });
  return () => ({ documents: documents.length, words: places.size });
}

/** Files as they are and as they would be sent: real programs, and bytes that do not compress. */
function fileCache() {
  const folder = dirname(fileURLToPath(import.meta.resolve("typescript")));
  const cache = new Map();
  for (const name of readdirSync(folder)) {
    if (!/\.(js|ts)$/.test(name)) continue;
    const bytes = readFileSync(join(folder, name));
    cache.set(name, { bytes, sent: gzipSync(bytes, { level: 1 }) });
  }
  return () => ({ files: cache.size });
}

const DATA_SETS = { users: userStore, search: searchIndex, files: fileCache };

const role = /** @type {keyof typeof DATA_SETS} */ (process.argv[2]);
const describe = DATA_SETS[role]();
const server = createServer((_, response) => {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(describe()));
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.send?.(typeof address === "object" ? address?.port : undefined);
});
process.once("disconnect", () => process.exit());
