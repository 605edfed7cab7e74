// Peers that die: what a connection over a socket of the system says when the process at the other
// end is killed.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Address, formatAddress, parseAddress } from "../../src/transport/address.ts";
import { listen } from "../../src/transport/listen.ts";
import { temporaryFolder } from "../support/folder.ts";

/** A process that connects and then does as it is told. */
async function peerOf(address: Address, behaviour: string) {
  const target = address.kind === "unix" ? { path: address.path } : { port: address.port };
  const script = `const socket = require("net").connect(${JSON.stringify(target)});
    socket.on("error", () => {}); ${behaviour}`;
  const child = spawn(process.execPath, ["-e", script], { stdio: "ignore" });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

describe.each(["unix", "tcp"])("a connection over %s whose peer dies", (kind) => {
  async function met(behaviour: string) {
    const path = join(temporaryFolder(), "s");
    const listener = await listen(
      kind === "unix" ? { kind: "unix", path } : parseAddress("127.0.0.1:0"),
    );
    const child = await peerOf(listener.address, behaviour);
    const connection = await listener.accept();
    await listener.close();
    onTestFinished(() => connection.destroy());
    return { connection, child, place: formatAddress(listener.address) };
  }

  it("gives what arrived, then the end or an error, and later writes fail", async () => {
    const { connection, child } = await met("socket.write(Buffer.alloc(500000, 7))");
    let got = 0;
    let hasEnded = false;
    connection.receive({
      bytes: ({ length }) => {
        got += length;
      },
      end: () => {
        hasEnded = true;
      },
    });
    await expect.poll(() => got).toBe(500_000);
    child.kill("SIGKILL");
    await once(child, "exit");
    let failure: Error | undefined;
    connection.closed.then((reason) => {
      failure = reason;
    });
    await expect.poll(() => hasEnded || failure !== undefined).toBe(true);
    const block = new Uint8Array(1 << 20);
    const writing = (async () => {
      for (;;) await connection.write([block]);
    })();
    await expect(writing).rejects.toThrow(
      /: the peer (has closed the connection|broke the connection)$|: the connection is closed$/,
    );
    expect(await connection.closed).toMatchObject({ code: "CONNECTION" });
  });

  it("fails a write that waits for a peer which reads nothing", async () => {
    const { connection, child, place } = await met("socket.pause(); setInterval(() => {}, 1000)");
    connection.receive({ bytes() {}, end() {} });
    const written = connection.write([new Uint8Array(64 << 20)]);
    child.kill("SIGKILL");
    await expect(written).rejects.toThrow(/: the peer (has closed|broke) the connection$/);
    if (kind === "unix") expect(connection.peer).toBe(`a client of ${place}`);
    else expect(connection.peer).toMatch(/^127.0.0.1:\d+$/);
  });
});
