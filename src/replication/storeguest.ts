// guest.json: whose memory a directory holds. Written once, when the directory is made; it is read
// by people and by tools, and every byte of it counts.
import { PagefoldError } from "../core/errors.ts";
import { loadChecksum } from "../wire/checksum.ts";
import { damaged, TEMPORARY } from "./storeepoch.ts";
import type { StoreFiles } from "./storefiles.ts";
import { type GuestIdentity, identityDifference, parseIdentity } from "./storeidentity.ts";

export const GUEST_NAME = "guest.json";
const SCHEMA = "pagefold/replica/1";
const MAX_BYTES = 1 << 20;

/** The identity that the directory was made for; undefined when there is none yet. */
export async function readGuest(files: StoreFiles): Promise<GuestIdentity | undefined> {
  if (!(await files.list()).includes(GUEST_NAME)) return undefined;
  const path = `${files.path}/${GUEST_NAME}`;
  const file = await files.open(GUEST_NAME, "read");
  try {
    const { byteLength } = await file.size();
    const fail = (reason: string): never => {
      throw damaged(path, 0, byteLength, reason);
    };
    if (byteLength > MAX_BYTES) return fail("are no description of a guest");
    const bytes = new Uint8Array(byteLength);
    await file.read(bytes, 0);
    const text = new TextDecoder().decode(bytes);
    const value = parsed(text);
    if (value === undefined) return fail("are not JSON");
    if (value.schema !== SCHEMA && typeof value.schema === "string") {
      throw new PagefoldError("FORMAT", `${path}: is of ${value.schema}, not ${SCHEMA}`);
    }
    const identity = identityIn(value.identity, path);
    // The whole text is compared: there is one way to write it.
    if (!identity || (await textOf(identity)) !== text) return fail("fail their checksum");
    return identity;
  } finally {
    await file.close();
  }
}

/** Makes the directory one of this guest; it must not hold anything else. */
export async function writeGuest(files: StoreFiles, identity: GuestIdentity): Promise<void> {
  const file = await files.open(GUEST_NAME + TEMPORARY, "create");
  try {
    await file.write(new TextEncoder().encode(await textOf(identity)), 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await files.rename(GUEST_NAME + TEMPORARY, GUEST_NAME);
  await files.sync();
}

/** Refuses a directory that was made for another guest, and says in what it differs. */
export function refuseOther(path: string, kept: GuestIdentity, wanted: GuestIdentity): void {
  const difference = identityDifference(kept, wanted);
  if (difference === undefined) return;
  throw new PagefoldError("MISMATCH", `${path}: holds another guest: ${difference}`);
}

function identityIn(value: unknown, path: string): GuestIdentity | undefined {
  try {
    return parseIdentity(value, path);
  } catch {
    return undefined;
  }
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

async function textOf(identity: GuestIdentity): Promise<string> {
  const { guest, machine, qemuVersion, pageBytes, ramBlocks } = identity;
  const plain = {
    ...(guest === undefined ? {} : { guest }),
    machine,
    qemuVersion,
    pageBytes,
    ramBlocks: ramBlocks.map(({ name, byteLength }) => ({ name, byteLength })),
  };
  const hash = await loadChecksum();
  const sum = hash(new TextEncoder().encode(JSON.stringify(plain)));
  const checksum = sum.toString(16).padStart(16, "0");
  return `${JSON.stringify({ schema: SCHEMA, identity: plain, checksum }, undefined, 2)}\n`;
}
