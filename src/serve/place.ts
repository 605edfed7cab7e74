// Where a server waits: binds it to a unix socket for its owner, or to an address of TCP, and tells
// how it is reached.
import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import { type Address, formatAddress } from "../transport/address.ts";
import { listenUnix, type SocketAccess } from "../transport/unixlisten.ts";

export interface Place {
  /** With the port that the system chose, if 0 was asked for. */
  readonly address: Address;
  /** Takes no more connections, and takes the socket's file away. */
  close(): Promise<void>;
}

export async function bind(server: Server, address: Address, access: SocketAccess): Promise<Place> {
  let removeSocket = async (): Promise<void> => undefined;
  let bound = address;
  if (address.kind === "unix") {
    removeSocket = await listenUnix(server, address.path, access);
  } else {
    server.listen({ host: address.host, port: address.port });
    await once(server, "listening").catch((error) => {
      const reason = `${formatAddress(address)}: ${reasonOf(error)}`;
      throw new PagefoldError("CONNECTION", reason, { cause: error });
    });
    bound = { ...address, port: (server.address() as AddressInfo).port };
  }
  // Whoever cannot be accepted, for want of a descriptor, is no reason to leave the others.
  server.on("error", () => undefined);
  return {
    address: bound,
    async close() {
      server.close();
      await removeSocket();
    },
  };
}

/** How tools name the HTTP server: an address for browsers and curl. */
export function httpUrl(address: Address, isTls: boolean): string {
  if (address.kind === "unix") return formatAddress(address);
  return `http${isTls ? "s" : ""}://${formatAddress(address)}/`;
}

/** The address of an NBD server as doc/uri.md of the nbd project has it, without an export. */
export function nbdUri(address: Address, isTls: boolean): string {
  const scheme = isTls ? "nbds" : "nbd";
  if (address.kind === "tcp") return `${scheme}://${formatAddress(address)}/`;
  const path = address.path.split("/").map(encodeURIComponent).join("/");
  return `${scheme}+unix:///?socket=${path}`;
}
