// How a target answers who wants a session: agrees to it, or refuses it with a reason.
import { PagefoldError } from "../core/errors.ts";
import { SessionType } from "../wire/sessionframe.ts";
import { encodeHello, type Hello } from "../wire/sessionheads.ts";
import type { GangTargetOptions } from "./gangtargetapi.ts";
import type { SessionLink } from "./link.ts";

/** Bytes of streams that may be under way: of all guests together, and of one. */
const CREDIT_BYTES = 96 << 20;
const MAX_GUEST_CREDIT_BYTES = 4 << 20;
const MIN_GUEST_CREDIT_BYTES = 1 << 20;
/**
 * Answers the source, of whose clusters `slotBytes` are kept; returns the credit of its guests.
 * `rack` is what ours is called, where it sends pages by name. CONNECTION when it is refused.
 */
export async function answerHello(
  link: SessionLink,
  options: GangTargetOptions,
  { guests, scope, rack: asked }: Hello,
  slotBytes: number,
  rack: string,
): Promise<number> {
  const { scope: ours = "", expects } = options;
  const refuse = (reason: string): never => {
    throw new PagefoldError("CONNECTION", `${link.peer}: refused: ${reason}`);
  };
  const unknown = guests.find((name, i) => !expects(name) || guests.indexOf(name) !== i);
  if (unknown !== undefined) refuse(`no guest ${JSON.stringify(unknown)} is expected here`);
  if (scope !== ours) {
    refuse(`its scope is ${JSON.stringify(ours)}, not ${JSON.stringify(scope)}`);
  }
  const share = Math.floor(CREDIT_BYTES / Math.max(1, guests.length));
  const creditBytes = Math.max(MIN_GUEST_CREDIT_BYTES, Math.min(share, MAX_GUEST_CREDIT_BYTES));
  const name = asked && new TextEncoder().encode(rack);
  const answer = encodeHello({ scope, slotBytes, creditBytes, guests, rack: name });
  await link.send(SessionType.HELLO, 0, answer);
  return creditBytes;
}
