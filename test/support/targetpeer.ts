// A target that says whatever it is told to say, for tests of a source: they are joined by memory.
import { levelParameters } from "../../src/archive/levels.ts";
import { type GangRack, GangSource } from "../../src/migration/gangsource.ts";
import { SessionLink } from "../../src/migration/link.ts";
import type { EngineResources } from "../../src/pipeline/resources.ts";
import { loopbackPair } from "../../src/transport/loopback.ts";
import { type SessionFrame, SessionType } from "../../src/wire/sessionframe.ts";
import { decodeHello, encodeHello, type Hello } from "../../src/wire/sessionheads.ts";
import { TIMES } from "./gangpeer.ts";

/** A target that says whatever it is told to say. */
export class TargetPeer {
  readonly link: SessionLink;
  readonly opening: Promise<GangSource>;

  constructor(resources: EngineResources, rack?: GangRack) {
    const [left, right] = loopbackPair();
    this.link = new SessionLink(right, resources.checksum, TIMES);
    this.opening = GangSource.open(resources, {
      connection: left,
      guests: ["vm0", "vm1"],
      levels: [levelParameters("fast")],
      firstLevel: 0,
      rack,
      times: TIMES,
    });
    this.opening.catch(() => undefined);
  }

  send(type: SessionType, guest = 0, head?: Uint8Array): void {
    this.link.send(type, guest, head).catch(() => undefined);
  }

  async greet(change: Partial<Hello> = {}): Promise<void> {
    const hello = decodeHello((await this.link.next()) as SessionFrame);
    const answer = { ...hello, slotBytes: 1 << 20, creditBytes: 1 << 24, ...change };
    this.send(SessionType.HELLO, 0, encodeHello(answer));
  }

  /** Reads on to a frame of a type. */
  async until(type: SessionType): Promise<SessionFrame> {
    for (let frame = await this.link.next(); frame; frame = await this.link.next()) {
      if (frame.type === type) return frame;
    }
    throw new Error(`the source ended without record type ${type}`);
  }
}
