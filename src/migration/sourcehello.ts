// How a source begins a session: says what it would have, and takes what the target agrees to.
import { PagefoldError } from "../core/errors.ts";
import { SessionType } from "../wire/sessionframe.ts";
import { decodeHello, decodeReason, encodeHello } from "../wire/sessionheads.ts";
import type { GangSourceOptions } from "./gangsource.ts";
import type { SessionLink } from "./link.ts";

export interface Agreement {
  /** Bytes of clusters that the target keeps, and of a guest's stream that may be under way. */
  readonly slotBytes: number;
  readonly creditBytes: number;
  /** What the target's rack is called; "" if it has none. */
  readonly rack: string;
}

/** Asks the target to keep up to `slotBytes`. CONNECTION when it refuses. */
export async function agree(
  link: SessionLink,
  { guests, scope = "", rack }: GangSourceOptions,
  slotBytes: number,
): Promise<Agreement> {
  const hello = encodeHello({ scope, slotBytes, creditBytes: 0, guests, rack: rack?.secret });
  await link.send(SessionType.HELLO, 0, hello);
  const answer = await link.next();
  if (answer?.type === SessionType.BYE) throw refusal(link, decodeReason(answer));
  if (answer?.type !== SessionType.HELLO) throw refusal(link, "it gave no answer");
  const agreed = decodeHello(answer);
  const isNothing = agreed.slotBytes > slotBytes || agreed.creditBytes === 0;
  const isOfOther = (agreed.rack === undefined) !== (rack === undefined);
  if (isNothing || isOfOther) throw refusal(link, "it agrees to nothing");
  const { creditBytes } = agreed;
  return { slotBytes: agreed.slotBytes, creditBytes, rack: new TextDecoder().decode(agreed.rack) };
}

function refusal(link: SessionLink, reason: string): PagefoldError {
  return new PagefoldError("CONNECTION", `${link.peer}: the target refuses: ${reason}`);
}
