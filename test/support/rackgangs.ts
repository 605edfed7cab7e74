// Hosts of two racks in one process: gangs that share an index at their sources and a store of
// pages at their targets.

import type { Clock } from "../../src/migration/adaptiverate.ts";
import type { GuestReturns } from "../../src/migration/gangtargetapi.ts";
import type { GuestSink } from "../../src/migration/guestdelivery.ts";
import type { RackSource } from "../../src/migration/racksource.ts";
import type { EngineResources } from "../../src/pipeline/resources.ts";
import { StreamFolder } from "../../src/qemu/folder.ts";
import { rackKeys } from "../../src/store/rackkeys.ts";
import { SealedPages } from "../../src/store/sealedpages.ts";
import type { PageStore, RackIndex } from "../../src/store/store.ts";
import type { Connection } from "../../src/transport/connection.ts";
import type { RateLimit } from "../../src/transport/rate.ts";
import { loadStream } from "../oracle/qemuloader.ts";
import { type Gang, type GangSetup, openGang, openResources, SHUT } from "./gang.ts";
import { newTarget } from "./qemufold.ts";

/** A QEMU that loads whatever stream comes: it runs the guest when its description has come. */
export class LoadingSink implements GuestSink {
  readonly pieces: Uint8Array[] = [];
  abortReason: string | undefined;
  runs = false;
  /** Set to hold writes up until it resolves. */
  stall: Promise<void> | undefined;
  private readonly folder = new StreamFolder("incoming");
  private readonly returns: GuestReturns;

  constructor(returns: GuestReturns) {
    this.returns = returns;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.pieces);
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.stall;
    const piece = bytes.slice();
    this.pieces.push(piece);
    for (let at = 0; at < piece.length; this.folder.takeEvent()) {
      at += this.folder.fold(piece.subarray(at), newTarget(64));
    }
    if (this.runs || this.folder.phase !== "ended") return;
    this.runs = true;
    await this.returns.returned(SHUT);
    this.returns.returnEnded();
  }

  end(): void {
    this.returns.returnEnded();
  }

  abort(reason: string): void {
    this.abortReason = reason;
  }
}

export interface RackHost {
  readonly gang: Gang;
  readonly sinks: Map<string, LoadingSink>;
  readonly notices: string[];
}

export interface RackSetup {
  readonly index: RackIndex;
  readonly store: PageStore;
  /** Streams of the guests of each host. */
  readonly hosts: readonly (readonly Uint8Array[])[];
  readonly memoryBytes?: number;
  readonly gang?: Partial<GangSetup>;
  readonly secret?: Uint8Array;
  /** Of each host: that of its source, and that of its target. */
  readonly engines?: readonly (readonly [EngineResources, EngineResources])[];
  readonly clock?: Clock;
  readonly rate?: RateLimit;
  /** Of each host. */
  readonly connections?: readonly (readonly [Connection, Connection])[];
  /** What the key of the seals at a target is derived from, where it is not that of the others. */
  readonly sealSecrets?: readonly (Uint8Array | undefined)[];
}

export async function openRacks(setup: RackSetup): Promise<RackHost[]> {
  const { index, store, secret = new Uint8Array(0), clock } = setup;
  const keys = rackKeys(secret.length > 0 ? secret : undefined, "");
  return Promise.all(
    setup.hosts.map(async (streams, number) => {
      const sinks = new Map<string, LoadingSink>();
      const notices: string[] = [];
      const onNotice = (message: string): void => void notices.push(message);
      const engine = () => openResources(1, setup.memoryBytes);
      const [sourceEngine, targetEngine] = setup.engines?.[number] ?? [
        await engine(),
        await engine(),
      ];
      const sealSecret = setup.sealSecrets?.[number];
      const { sealKey } = sealSecret ? rackKeys(sealSecret, "") : keys;
      const gang = await openGang({
        streams,
        sourceEngine,
        targetEngine,
        ...(setup.connections ? { connections: setup.connections[number] } : {}),
        source: {
          rate: setup.rate,
          rack: {
            secret,
            join: async (rack) => {
              const member = await index.join(rack, `host${number}`);
              return { member, digestKey: keys.digestKey, onNotice, clock };
            },
          },
        },
        target: {
          rack: async () => ({
            name: await store.rack(),
            store: new SealedPages(store, sealKey),
            digestKey: keys.digestKey,
            onNotice,
            clock,
          }),
        },
        sinkOf: (name, returns) => {
          const sink = new LoadingSink(returns);
          sinks.set(name, sink);
          return sink;
        },
        ...setup.gang,
      });
      return { gang, sinks, notices };
    }),
  );
}

/** The source's side of a host's rack. */
export function rackOf(host: RackHost): RackSource {
  const { fold } = host.gang.source as unknown as { fold: { rack: RackSource | undefined } };
  if (!fold.rack) throw new Error("the host has not joined a rack");
  return fold.rack;
}

/** What differs between the stream that came and the one that was sent, as its QEMU loads them. */
export function differences(came: Uint8Array, sent: Uint8Array): string[] {
  const [there, here] = [loadStream(came), loadStream(sent)];
  const wrong: string[] = [];
  if (Buffer.compare(there.others, here.others) !== 0) wrong.push("bytes that are not memory");
  for (const [frame, content] of here.frames) {
    if (there.frames.get(frame) !== content) wrong.push(`frame ${frame}`);
  }
  if (there.frames.size !== here.frames.size) wrong.push(`${there.frames.size} frames`);
  return wrong;
}
