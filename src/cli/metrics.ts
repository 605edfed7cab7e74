// Prometheus metrics of a tunnel, over HTTP. The exposition format is prom-client's work.
import { createServer } from "node:http";
import { PagefoldError, parseAddress, reasonOf, type TunnelProgress } from "../index.ts";

export interface Metrics {
  update(progress: TunnelProgress): void;
  close(): Promise<void>;
}

/** Serves /metrics at HOST:PORT, or at a port of the loopback interface. */
export async function serveMetrics(word: string, end: string): Promise<Metrics> {
  const address = parseAddress(/^\d+$/.test(word) ? `127.0.0.1:${word}` : word);
  if (address.kind !== "tcp") throw new PagefoldError("USAGE", `--metrics ${word}: not HOST:PORT`);
  const { Gauge, Registry, collectDefaultMetrics } = await import("prom-client");
  const register = new Registry();
  register.setDefaultLabels({ end });
  collectDefaultMetrics({ register });
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name: `pagefold_tunnel_${name}`, help, labelNames, registers: [register] });
  const stream = gauge("stream_bytes", "Bytes of the streams of all guests.");
  const wire = gauge("wire_bytes", "Bytes that crossed the link.");
  const guestStream = gauge("guest_stream_bytes", "Bytes of the stream of a guest.", ["guest"]);
  const guestWire = gauge("guest_wire_bytes", "Bytes that crossed the link for it.", ["guest"]);
  const round = gauge("guest_round", "Passes over its memory that have begun.", ["guest"]);
  const phase = gauge("guest_phase", "1 for the phase that it is in.", ["guest", "phase"]);
  const server = createServer((request, response) => {
    if (request.url !== "/metrics") {
      response.writeHead(404).end();
      return;
    }
    register.metrics().then(
      (text) => response.writeHead(200, { "Content-Type": register.contentType }).end(text),
      (error) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve, reject) => {
    const refuse = (error: Error): void =>
      reject(new PagefoldError("CONNECTION", `--metrics ${word}: ${reasonOf(error)}`));
    server.once("error", refuse).listen(address.port, address.host, resolve);
  });
  server.unref();
  return {
    update({ guests, streamBytes, wireBytes }) {
      stream.set(streamBytes);
      wire.set(wireBytes);
      phase.reset();
      for (const { name: guest, ...at } of guests) {
        guestStream.set({ guest }, at.streamBytes);
        guestWire.set({ guest }, at.wireBytes);
        round.set({ guest }, at.round);
        phase.set({ guest, phase: at.phase }, 1);
      }
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
