// Takes the statistics of a fleet from raw images of guests: which pages guests of any work, of the
// same work, or one alone have, and what those are compressed.
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { deflateRawSync } from "node:zlib";
import { PAGE_BYTES } from "./costs.ts";
import type { Statistics, Workload } from "./fleet.ts";

/** Pages of a cluster of a session; one in so many clusters is compressed to see what they take. */
const CLUSTER_PAGES = 8;
const SAMPLE = 8;
const READ_PAGES = 1024;

interface Guest {
  readonly work: string;
  readonly path: string;
  zero: number;
  nonZero: number;
  readonly digests: Set<string>;
}

/** By digest, the works whose guests have it, and how many guests do. */
type Owners = Map<string, { readonly works: Set<string>; guests: number }>;

/** `images`: WORK=IMAGE each; a work needs two guests for its pages to be told from their own. */
export function makeStatistics(images: readonly string[]): Statistics {
  const owners: Owners = new Map();
  const guests = images.map((word) => {
    const [, work, path] = /^(\w+)=(.+)$/.exec(word) ?? [];
    if (work === undefined) throw new Error(`${word}: is not WORK=IMAGE`);
    const guest: Guest = { work, path, zero: 0, nonZero: 0, digests: new Set() };
    readPages(path, (page) => note(guest, page, owners));
    return guest;
  });
  const works = [...new Set(guests.map(({ work }) => work))];
  return {
    how: `bench:sim --make-statistics of ${guests.length} images: ${works.join(", ")}`,
    workloads: works.map((work) => workloadOf(work, guests, owners)),
    wireBytes: wireBytes(guests, owners),
    again: 0.03,
  };
}

type Kind = keyof Statistics["wireBytes"];

function kindOf(digest: string, owners: Owners): Kind {
  const { works, guests } = owners.get(digest) ?? { works: new Set(), guests: 1 };
  if (works.size > 1) return "system";
  return guests > 1 ? "work" : "own";
}

function note(guest: Guest, page: Uint8Array, owners: Owners): void {
  if (page.every((byte) => byte === 0)) {
    guest.zero++;
    return;
  }
  guest.nonZero++;
  const digest = digestOf(page);
  if (guest.digests.has(digest)) return;
  guest.digests.add(digest);
  const owner = owners.get(digest) ?? { works: new Set(), guests: 0 };
  owner.works.add(guest.work);
  owner.guests++;
  owners.set(digest, owner);
}

/** The mean of the guests of a work. */
function workloadOf(work: string, all: readonly Guest[], owners: Owners): Workload {
  const guests = all.filter((guest) => guest.work === work);
  const counts = { zero: 0, duplicate: 0, system: 0, work: 0, own: 0 };
  for (const { zero, nonZero, digests } of guests) {
    counts.zero += zero;
    counts.duplicate += nonZero - digests.size;
    for (const digest of digests) counts[kindOf(digest, owners)]++;
  }
  const mean = (count: number) => Math.round(count / guests.length);
  return {
    name: work,
    zero: mean(counts.zero),
    duplicate: mean(counts.duplicate),
    system: mean(counts.system),
    work: mean(counts.work),
    own: mean(counts.own),
  };
}

/** Deflated at level 1, clusters of pages of one kind that lie behind each other. */
function wireBytes(guests: readonly Guest[], owners: Owners): Statistics["wireBytes"] {
  const sums = { system: [0, 0], work: [0, 0], own: [0, 0] };
  for (const { path } of guests) {
    const clusters: Record<Kind, Uint8Array[]> = { system: [], work: [], own: [] };
    let count = 0;
    readPages(path, (page) => {
      if (page.every((byte) => byte === 0)) return;
      const kind = kindOf(digestOf(page), owners);
      clusters[kind].push(page.slice());
      if (clusters[kind].length < CLUSTER_PAGES) return;
      const cluster = Buffer.concat(clusters[kind]);
      clusters[kind] = [];
      if (count++ % SAMPLE !== 0) return;
      sums[kind][0] += deflateRawSync(cluster, { level: 1 }).length;
      sums[kind][1] += CLUSTER_PAGES;
    });
  }
  const mean = ([bytes, pages]: number[]) => Math.round(bytes / Math.max(pages, 1));
  return { system: mean(sums.system), work: mean(sums.work), own: mean(sums.own) };
}

function digestOf(page: Uint8Array): string {
  return createHash("md5").update(page).digest("base64");
}

function readPages(path: string, each: (page: Uint8Array) => void): void {
  const file = openSync(path, "r");
  try {
    const buffer = new Uint8Array(READ_PAGES * PAGE_BYTES);
    for (let length = buffer.length; length === buffer.length; ) {
      length = readSync(file, buffer);
      for (let at = 0; at + PAGE_BYTES <= length; at += PAGE_BYTES) {
        each(buffer.subarray(at, at + PAGE_BYTES));
      }
    }
  } finally {
    closeSync(file);
  }
}
