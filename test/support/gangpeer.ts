// A source that says whatever it is told to say, for tests of a target: it is joined to one by
// memory, and keeps what came out there.
import { expect } from "vitest";
import { ByteWriter } from "../../src/core/bytes.ts";
import { CODEC_RAW, KIND_PAGES } from "../../src/core/cluster.ts";
import { serveGang } from "../../src/migration/gangtarget.ts";
import type { GangTargetOptions } from "../../src/migration/gangtargetapi.ts";
import { SessionLink } from "../../src/migration/link.ts";
import type { EngineResources } from "../../src/pipeline/resources.ts";
import { loopbackPair } from "../../src/transport/loopback.ts";
import { type PagesHead, RecordKind, type Run } from "../../src/wire/records.ts";
import { type SessionFrame, SessionType } from "../../src/wire/sessionframe.ts";
import {
  encodeHello,
  encodeMark,
  encodeSessionBatch,
  type Hello,
  type SessionBatch,
} from "../../src/wire/sessionheads.ts";
import { xxh64 } from "../oracle/xxh64.ts";
import { encodeCluster } from "./clusters.ts";

export const TIMES = { heartbeatMs: 30, silenceMs: 300 };
export const HELLO = { scope: "", slotBytes: 1 << 30, creditBytes: 0, guests: ["vm0", "vm1"] };

interface Sink {
  bytes: Buffer;
  ended: boolean;
  aborted?: string;
}

/** A source that says whatever it is told to say. */
export class SourcePeer {
  readonly link: SessionLink;
  readonly serving: Promise<unknown>;
  /** What the sinks of the guests got. */
  readonly sinks = new Map<string, Sink>();
  readonly overs: [string, string | undefined][] = [];
  private cluster = 0;
  private readonly named = new Set<number>();

  constructor(resources: EngineResources, scope = "", rack?: GangTargetOptions["rack"]) {
    const [left, right] = loopbackPair();
    this.link = new SessionLink(left, resources.checksum, TIMES);
    this.serving = serveGang(resources, {
      connection: right,
      scope,
      expects: (name) => name.startsWith("vm"),
      sinkOf: async (name) => {
        const sink: Sink = { bytes: Buffer.alloc(0), ended: false };
        this.sinks.set(name, sink);
        return {
          async write(bytes) {
            sink.bytes = Buffer.concat([sink.bytes, bytes]);
            // The QEMU of this one takes nothing more.
            if (name === "vm1") await new Promise(() => undefined);
          },
          end: () => {
            sink.ended = true;
          },
          abort: (reason) => {
            sink.aborted = reason;
          },
        };
      },
      onGuestOver: (name, reason) => void this.overs.push([name, reason]),
      times: TIMES,
      ...(rack ? { rack } : {}),
    }).catch((error: unknown) => error);
  }

  send(type: SessionType, guest = 0, head?: Uint8Array, body?: Uint8Array): void {
    this.link.send(type, guest, head, body).catch(() => undefined);
  }

  hello(hello: Partial<Hello> = {}): void {
    this.send(SessionType.HELLO, 0, encodeHello({ ...HELLO, ...hello }));
  }

  /** The next frame that is not a credit. */
  async next(): Promise<SessionFrame | undefined> {
    for (;;) {
      const frame = await this.link.next();
      if (frame?.type !== SessionType.CREDIT) return frame;
    }
  }

  /** Part of a stream without pages. */
  bytes(guest: number, bytes: readonly number[], more: Partial<SessionBatch> = {}): void {
    const script = scriptOf(bytes);
    const batch = { streamBytes: bytes.length, isWithheld: false, firstKept: 0, script };
    const head = encodeSessionBatch({ ...batch, pages: undefined, ...more });
    this.send(SessionType.BATCH, guest, head);
  }

  /** `count` pages at the start of a block, one cluster of their own unless `runs` says more. */
  pages(guest: number, count: number, change: Partial<PagesHead> = {}, firstKept = 0): void {
    const payload = new Uint8Array(count * 4096).fill(7);
    const cluster = encodeCluster(
      { contentBytes: payload.length, codec: CODEC_RAW, kind: KIND_PAGES, itemCount: count },
      payload,
    );
    const head: PagesHead = {
      image: guest,
      firstFrame: 0,
      frameCount: count,
      firstCluster: this.cluster,
      clusters: [{ byteLength: cluster.length, itemCount: count, isDeltas: false }],
      runs: [{ kind: RecordKind.STORED, length: count }],
      ...change,
    };
    this.cluster = head.firstCluster + head.clusters.length;
    // BLOCK, with its name at first, and PAGES.
    const name = this.named.has(guest) ? [7] : [7, 1, 98];
    this.named.add(guest);
    const script = Uint8Array.from([...name, head.frameCount * 8 + 1]);
    const streamBytes = head.frameCount * 4104 + 2;
    const batch = { streamBytes, isWithheld: false, firstKept, script, pages: head };
    const body = head.clusters.length > 0 ? cluster : undefined;
    this.send(SessionType.BATCH, guest, encodeSessionBatch(batch), body);
  }

  /** One page that is the one at (cluster, item). */
  refer(guest: number, run: Run): void {
    this.pages(guest, 1, { clusters: [], runs: [run] });
  }
}

export function varint(value: number): Uint8Array {
  const writer = new ByteWriter();
  writer.varint(value);
  return writer.take();
}

/** VERBATIM. */
function scriptOf(bytes: readonly number[]): Uint8Array {
  return Uint8Array.from([...varint(bytes.length * 8), ...bytes]);
}

export async function openedPeer(resources: EngineResources): Promise<SourcePeer> {
  const peer = new SourcePeer(resources);
  peer.hello();
  const answer = await peer.next();
  expect(answer?.type).toBe(SessionType.HELLO);
  return peer;
}

export function markOf(bytes: readonly number[], change = 0n) {
  return encodeMark({ streamBytes: bytes.length, hash: xxh64(Uint8Array.from(bytes)) ^ change });
}

export const duplicate = (cluster: number, item = 0): Run => ({
  kind: RecordKind.DUPLICATE,
  length: 1,
  cluster,
  item,
});
