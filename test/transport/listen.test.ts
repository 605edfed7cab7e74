// Listening and connecting: who gets in, who is turned away, and what both sides are told.
import { writeFileSync } from "node:fs";
import { createServer, connect as netConnect, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import type { PagefoldError } from "../../src/core/errors.ts";
import { parseAddress } from "../../src/transport/address.ts";
import { type ConnectOptions, connect } from "../../src/transport/connect.ts";
import { type ListenOptions, listen } from "../../src/transport/listen.ts";
import { loadTlsIdentity } from "../../src/transport/tlsfiles.ts";
import {
  type Authority,
  type CertificateOptions,
  hours,
  newAuthority,
  writeTlsFiles,
} from "../support/certificates.ts";
import { temporaryFolder } from "../support/folder.ts";

const ANY_PORT = parseAddress("127.0.0.1:0");
const authority = newAuthority("test CA");

async function listening(options: ListenOptions = {}, address = ANY_PORT) {
  const listener = await listen(address, options);
  onTestFinished(() => listener.close());
  return listener;
}

/** A directory with certificates that are made as wished. */
function tlsFolder(
  server: CertificateOptions = { names: ["127.0.0.1"] },
  client: CertificateOptions = {},
  issuer: Authority = authority,
): string {
  const folder = temporaryFolder();
  const serverFiles = issuer.issue("server", server);
  writeTlsFiles(folder, issuer, { server: serverFiles }, issuer.issue("client", client));
  return folder;
}

/** Connects with TLS; what the client was told, and why the listener refused. */
async function meet(serverFolder: string, clientFolder: string, options: ConnectOptions = {}) {
  const refusals: string[] = [];
  const listener = await listening({
    tls: await loadTlsIdentity(serverFolder, "server"),
    onRefused: ({ message }) => refusals.push(message),
  });
  const tls = await loadTlsIdentity(clientFolder, "client");
  let told: string | undefined;
  try {
    const connection = await connect(listener.address, { tls, ...options });
    onTestFinished(() => connection.destroy());
    // TLS 1.3: a refusal of our certificate shows only now.
    told = await new Promise<string | undefined>((resolve) => {
      connection.receive({ bytes() {}, end: () => connection.end() });
      connection.closed.then((reason) => resolve(reason?.message ?? "closed"));
      listener.accept().then(
        () => resolve(undefined),
        () => {},
      );
    });
  } catch (error) {
    told = (error as PagefoldError).message;
  }
  await sleep(50);
  return { told, refused: refusals[0] };
}

describe("mutual TLS", () => {
  it("lets both sides of one CA in, by address or by another name", async () => {
    const folder = tlsFolder({ names: ["127.0.0.1", "target.example.org"], usage: "server" });
    expect((await meet(folder, folder)).told).toBeUndefined();
    const named = await meet(folder, folder, { serverName: "target.example.org" });
    expect(named.told).toBeUndefined();
  });

  it("refuses a listener of another name, and says for which it is", async () => {
    const folder = tlsFolder({ names: ["10.77.0.2", "target.example.org"] });
    const { told } = await meet(folder, folder);
    expect(told).toMatch(
      /the peer's certificate is not made for 127.0.0.1, only for .*10\.77\.0\.2.*target/,
    );
    const nameless = tlsFolder({});
    expect((await meet(nameless, nameless)).told).toMatch(/not made for 127.0.0.1/);
  });

  it("refuses a listener of another CA", async () => {
    const stranger = newAuthority("a stranger");
    const { told } = await meet(tlsFolder(undefined, undefined, stranger), tlsFolder());
    expect(told).toMatch(/^127.0.0.1:\d+: the peer's certificate comes from a CA that is not in/);
  });

  it("refuses a client of another CA, and the listener says why", async () => {
    const stranger = newAuthority("a stranger");
    const clientFolder = tlsFolder(undefined, undefined, stranger);
    writeFileSync(join(clientFolder, "ca-cert.pem"), authority.certPem + stranger.certPem);
    const { told, refused } = await meet(tlsFolder(), clientFolder);
    expect(told).toBeDefined();
    expect(refused).toMatch(/the peer's certificate comes from a CA that is not in ca-cert.pem$/);
  });

  it("refuses certificates that expire or are for the other end", async () => {
    const soon = new Date(Date.now() + 1000);
    const client = tlsFolder(undefined, { notAfter: soon });
    const identity = await loadTlsIdentity(client, "client");
    await sleep(2100);
    const expired = await meet(tlsFolder(), tlsFolder(), { tls: identity });
    expect(expired.refused).toMatch(/the peer's certificate has expired$/);
    const swapped = tlsFolder({ names: ["127.0.0.1"], usage: "client" });
    expect((await meet(swapped, swapped)).told).toMatch(/is not made for this end/);
    const asServer = tlsFolder(undefined, { usage: "server" });
    expect((await meet(tlsFolder(), asServer)).refused).toMatch(/is not made for this end/);
  });

  it("refuses what ca-crl.pem lists, at either end", async () => {
    const issuer = newAuthority("revoking CA", { notAfter: hours(2) });
    const folder = temporaryFolder();
    const server = issuer.issue("server", { names: ["127.0.0.1"] });
    const client = issuer.issue("client");
    writeTlsFiles(folder, issuer, { server }, client);
    const other = temporaryFolder();
    writeTlsFiles(other, issuer, { server }, client);
    writeFileSync(join(other, "ca-crl.pem"), issuer.revoke([9_999]));
    expect((await meet(other, other)).told).toBeUndefined();
    writeFileSync(join(other, "ca-crl.pem"), issuer.revoke([client.serial]));
    expect((await meet(other, folder)).refused).toMatch(/is on the list of ca-crl.pem$/);
    writeFileSync(join(other, "ca-crl.pem"), issuer.revoke([server.serial]));
    expect((await meet(folder, other)).told).toMatch(/is on the list of ca-crl.pem$/);
  });

  it("refuses a client that shows no certificate, and goes on", async () => {
    const folder = tlsFolder();
    const identity = await loadTlsIdentity(folder, "client");
    const { ca } = identity.secureOptions;
    const bare = { ...identity, secureOptions: ca === undefined ? {} : { ca } };
    const { told, refused } = await meet(folder, folder, { tls: bare });
    expect(told).toMatch(/the peer asks for a certificate of ours$/);
    expect(refused).toMatch(/the peer shows no certificate$/);
  });

  it("tells those who do not speak TLS from those who do", async () => {
    const folder = tlsFolder();
    const refusals: string[] = [];
    const tls = await loadTlsIdentity(folder, "server");
    const onRefused = ({ message }: Error) => refusals.push(message);
    const listener = await listening({ tls, onRefused });
    const plain = await connect(listener.address);
    onTestFinished(() => plain.destroy());
    await plain.write([new TextEncoder().encode("hello, is there anybody?\n")]);
    await expect.poll(() => refusals[0]).toMatch(/the peer does not speak TLS$/);
    // And the other way round.
    const silent = createServer((socket) => socket.end("hello, is there anybody?\n"));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void silent.close());
    const { port } = silent.address() as { port: number };
    const attempt = connect(
      { kind: "tcp", host: "127.0.0.1", port },
      { tls: await loadTlsIdentity(folder, "client") },
    );
    await expect(attempt).rejects.toThrow(/the peer does not speak TLS$/);
  });
});

describe("connect", () => {
  it("says that nobody listens, that there is no socket, that there is no host", async () => {
    const listener = await listen(ANY_PORT);
    await listener.close();
    await expect(connect(listener.address)).rejects.toMatchObject({ code: "CONNECTION" });
    await expect(connect(listener.address)).rejects.toThrow(
      /^127.0.0.1:\d+: nobody listens there$/,
    );
    const path = join(temporaryFolder(), "none");
    await expect(connect({ kind: "unix", path })).rejects.toThrow(`unix:${path}: no such file`);
    const nowhere = connect(parseAddress("no-such-host.invalid:1"));
    await expect(nowhere).rejects.toThrow(/^no-such-host.invalid:1: (there is no host|the name)/);
  });

  it("gives up after its time, or when told to", async () => {
    // A listener that accepts and never answers the handshake.
    const sockets: Socket[] = [];
    const mute = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      mute.close();
    });
    const { port } = mute.address() as { port: number };
    const address = { kind: "tcp", host: "127.0.0.1", port } as const;
    const tls = await loadTlsIdentity(tlsFolder(), "client");
    await expect(connect(address, { tls, timeoutMs: 100 })).rejects.toThrow(
      `127.0.0.1:${port}: no answer within 100 ms`,
    );
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error("enough")), 20);
    await expect(connect(address, { tls, signal: stop.signal })).rejects.toThrow("enough");
    await expect(connect(address, { signal: AbortSignal.abort(new Error("no")) })).rejects.toThrow(
      "no",
    );
  });
});

describe("listen", () => {
  it("says that an address is in use or not ours", async () => {
    const { address } = await listening();
    await expect(listen(address)).rejects.toThrow(/^127.0.0.1:\d+: the address is in use$/);
    const foreign = listen(parseAddress("192.0.2.1:0"));
    await expect(foreign).rejects.toThrow("192.0.2.1:0: this machine does not have that address");
  });

  it("gives connections in their order, also those that came early", async () => {
    const listener = await listening();
    const first = await connect(listener.address);
    await first.write([Uint8Array.of(1)]);
    await sleep(20);
    const second = await connect(listener.address);
    await second.write([Uint8Array.of(2)]);
    for (const number of [1, 2]) {
      const connection = await listener.accept();
      const got = await new Promise<Uint8Array>((resolve) => {
        connection.receive({ bytes: (piece) => resolve(piece.slice()), end() {} });
      });
      expect([...got]).toEqual([number]);
      connection.destroy();
    }
    first.destroy();
    second.destroy();
  });

  it("forgets those who left before they were accepted, and drops a crowd", async () => {
    const listener = await listening();
    const crowd = Array.from({ length: 40 }, () => {
      const { port, host } = listener.address as { port: number; host: string };
      return netConnect({ port, host }).on("error", () => {});
    });
    await expect.poll(() => crowd.filter(({ closed }) => closed).length).toBe(24);
    for (const socket of crowd) socket.destroy();
  });

  it("stops waiting when aborted or closed", async () => {
    const listener = await listening();
    const stop = new AbortController();
    const waiting = listener.accept(stop.signal);
    stop.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    const last = listener.accept();
    await listener.close();
    await expect(last).rejects.toThrow(/^127.0.0.1:\d+: closed$/);
    await expect(connect(listener.address)).rejects.toThrow("nobody listens there");
  });

  it("closes by its signal, and keeps what was accepted", async () => {
    const stop = new AbortController();
    const path = join(temporaryFolder(), "s");
    const listener = await listening({ signal: stop.signal }, { kind: "unix", path });
    const [left, right] = await Promise.all([connect(listener.address), listener.accept()]);
    stop.abort();
    await listener.close();
    await expect(connect({ kind: "unix", path })).rejects.toThrow("no such file");
    const got = new Promise<number>((resolve) => {
      right.receive({ bytes: ({ length }) => resolve(length), end() {} });
    });
    await left.write([new Uint8Array(7)]);
    expect(await got).toBe(7);
    left.destroy();
    right.destroy();
  });
});
