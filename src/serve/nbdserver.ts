// The images of an archive over NBD: accepts connections and takes each one through its two phases.
import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createServer as createTlsServer } from "node:tls";
import { reasonOf } from "../core/errors.ts";
import type { TlsIdentity } from "../transport/tlsfiles.ts";
import { negotiate, type Upgrade } from "./nbdoptions.ts";
import { NbdSession } from "./nbdsession.ts";
import type { ServedArchive } from "./servedarchive.ts";

export interface NbdOptions {
  /** Clients must ask for TLS (STARTTLS) before anything else. */
  readonly tls?: TlsIdentity | undefined;
  /** Told what could not be read, one line each. */
  readonly onFault: (message: string) => void;
}

const MAX_CONNECTIONS = 64;
/** From the greeting to the choice of an image. */
const NEGOTIATION_MS = 30_000;
const KEEP_ALIVE_MS = 60_000;

/** `closeAll` ends what is going on. */
export function createNbdServer(archive: ServedArchive, options: NbdOptions) {
  const open = new Set<Socket>();
  const server: Server = createServer((socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    socket.on("error", () => undefined);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    converse(socket, archive, options)
      .catch((error) => options.onFault(reasonOf(error)))
      .finally(() => socket.destroySoon());
  });
  server.maxConnections = MAX_CONNECTIONS;
  const closeAll = (): void => {
    for (const socket of open) socket.destroy();
  };
  return { server, closeAll };
}

async function converse(
  socket: Socket,
  { images }: ServedArchive,
  { tls, onFault }: NbdOptions,
): Promise<void> {
  const timer = setTimeout(() => socket.destroy(), NEGOTIATION_MS);
  let agreement: Awaited<ReturnType<typeof negotiate>>;
  try {
    agreement = await negotiate(socket, images, tls && upgradeWith(tls));
  } finally {
    clearTimeout(timer);
  }
  if (agreement) await new NbdSession(agreement, onFault).run();
}

/** A server of its own for each connection: it is told which one without a look inside. */
function upgradeWith({ secureOptions }: TlsIdentity): Upgrade {
  return (socket) =>
    new Promise<Duplex | undefined>((resolve) => {
      const server = createTlsServer({
        ...secureOptions,
        requestCert: true,
        rejectUnauthorized: true,
        handshakeTimeout: NEGOTIATION_MS,
      });
      server.once("secureConnection", (secure) => {
        secure.on("error", () => undefined);
        resolve(secure);
      });
      server.once("tlsClientError", () => resolve(undefined));
      socket.once("close", () => resolve(undefined));
      server.emit("connection", socket);
    });
}
