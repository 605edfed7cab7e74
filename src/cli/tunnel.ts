// pagefold tunnel: live gang migration of QEMU guests, the source and the target of it.
import { type Command, InvalidArgumentError, Option } from "commander";
import {
  openEngine,
  type TunnelGuest,
  type TunnelLevel,
  type TunnelProgress,
  type TunnelReport,
  tunnelSource,
  tunnelTarget,
} from "../index.ts";
import { parseSize } from "./args.ts";
import { InDoubt, UsageError } from "./failure.ts";
import { interrupt } from "./interrupt.ts";
import { readKey } from "./keyfile.ts";
import { serveMetrics } from "./metrics.ts";
import { addExamples, addWorkOptions, type WorkOptions } from "./options.ts";
import { describeTunnel } from "./tunnelreport.ts";
import { openTunnelView } from "./tunnelview.ts";
import { printJson, summarize } from "./work.ts";

interface TunnelWords extends WorkOptions {
  vm: TunnelGuest[];
  tlsDir?: string;
  insecure?: boolean;
  scope?: string;
  persistent?: boolean;
  socketMode?: number;
  socketGroup?: string;
  metrics?: string;
}

interface SourceWords extends TunnelWords {
  connect: string;
  rackIndex?: string;
  rackKey?: string;
  level: TunnelLevel;
  rate?: number;
}

interface TargetWords extends TunnelWords {
  listen: string;
  rackStore?: string;
}

export function defineTunnel(command: Command): void {
  addExamples(command, [
    ["pagefold tunnel target --listen HOST:PORT …", "first, where the guests are to go"],
    ["pagefold tunnel source --connect HOST:PORT …", "then where they run"],
    ["pagefold tunnel source --help", "all about one end"],
  ]);
  const source = command
    .command("source")
    .usage("--connect ADDRESS --vm NAME=unix:PATH [options]")
    .summary("take migrations of the QEMUs of this host")
    .description("Takes the migrations of QEMUs of this host, and sends them as one gang.")
    .requiredOption("--connect <address>", "the target: HOST:PORT or unix:PATH")
    .addOption(
      new Option("--level <level>", "how hard to compress; auto: as the link leaves time")
        .choices(["auto", "store", "fast", "balanced"] satisfies TunnelLevel[])
        .default("auto"),
    )
    .addOption(new Option("--rate <size>", "bytes per second at most").argParser(parseRate))
    .option("--rack-index <url>", "Redis that the hosts of this rack share: redis://HOST[:PORT]")
    .option("--rack-key <file>", "key that they share: 32 bytes, or 64 hex digits")
    .action(runSource);
  addTunnelOptions(source, "where we listen for its QEMU's migrate");
  const target = command
    .command("target")
    .usage("--listen ADDRESS --vm NAME=unix:PATH [options]")
    .summary("give migrations to the QEMUs of this host")
    .description("Waits for a source, and gives its guests to the QEMUs that wait for them.")
    .requiredOption("--listen <address>", "where to wait: HOST:PORT or unix:PATH")
    .option("--rack-store <url>", "Redis that the hosts of this rack share: redis://HOST[:PORT]")
    .action(runTarget);
  addTunnelOptions(target, "where its QEMU listens (-incoming)");
  addExamples(target, [
    [
      "pagefold tunnel target --listen 10.0.0.2:7700 --tls-dir /etc/pki/qemu \\\n" +
        "      --vm web=unix:/run/pf/web-in.sock",
      "QEMU was started with -incoming unix:/run/pf/web-in.sock",
    ],
  ]);
  addExamples(source, [
    [
      "pagefold tunnel source --connect 10.0.0.2:7700 --tls-dir /etc/pki/qemu \\\n" +
        "      --vm web=unix:/run/pf/web.sock",
      "QEMU does the rest: its monitor is told migrate unix:/run/pf/web.sock",
    ],
  ]);
}

function addTunnelOptions(command: Command, socket: string): void {
  command
    .addOption(
      new Option("--vm <name=unix:path>", `a guest, and ${socket}; repeatable`)
        .argParser(parseGuest)
        .makeOptionMandatory(),
    )
    .option("--tls-dir <dir>", "certificates, as QEMU's x509 credentials have them")
    .option("--insecure", "allow plain TCP beyond this machine")
    .option("--scope <name>", "who may share content; the same on both sides")
    .option("--persistent", "serve on after the last guest")
    .addOption(
      new Option("--socket-mode <mode>", "of the sockets that we make (default: 0600)").argParser(
        parseMode,
      ),
    )
    .option("--socket-group <group>", "of the sockets that we make")
    .option("--metrics <address>", "serve Prometheus metrics at HOST:PORT");
  addWorkOptions(command);
}

function parseGuest(word: string, soFar?: TunnelGuest[]): TunnelGuest[] {
  const [, name, path] = /^([^=]+)=unix:(.+)$/s.exec(word) ?? [];
  if (name === undefined) throw new InvalidArgumentError("A guest is NAME=unix:PATH.");
  return [...(soFar ?? []), { name, path }];
}

function parseMode(word: string): number {
  if (!/^0?[0-7]{3}$/.test(word)) throw new InvalidArgumentError("A mode is octal, like 0660.");
  return Number.parseInt(word, 8);
}

function parseRate(word: string): number {
  const rate = parseSize(word.replace(/\/s$/, ""));
  if (rate === 0) throw new InvalidArgumentError("A rate is at least one byte per second.");
  return rate;
}

async function runSource(words: SourceWords): Promise<void> {
  if (words.rackKey !== undefined && words.rackIndex === undefined) {
    throw new UsageError("--rack-key is of use with --rack-index alone");
  }
  const key = await readKey(words.rackKey);
  const rackKey = key && new Uint8Array(key.export());
  await run("source", words, (engine, hooks) => {
    const { level, rate, rackIndex, connect: address } = words;
    return tunnelSource(engine, { ...hooks, address, level, rate, rackIndex, rackKey });
  });
}

async function runTarget(words: TargetWords): Promise<void> {
  await run("target", words, (engine, hooks) => {
    const { listen: address, rackStore } = words;
    return tunnelTarget(engine, { ...hooks, address, rackStore });
  });
}

type Hooks = ReturnType<typeof hooksOf>;

function hooksOf(
  words: TunnelWords,
  onProgress: (progress: TunnelProgress) => void,
  onNotice: (message: string) => void,
) {
  return {
    guests: words.vm,
    tlsDirectory: words.tlsDir,
    insecure: words.insecure,
    scope: words.scope,
    persistent: words.persistent,
    socketMode: words.socketMode,
    socketGroup: words.socketGroup,
    signal: interrupt.signal,
    onProgress,
    onNotice,
    onListening: (places: readonly string[]): void => {
      if (!words.quiet) onNotice(`waiting at ${places.join(", ")}`);
    },
  };
}

async function run(
  end: "source" | "target",
  words: TunnelWords,
  operation: (
    engine: Awaited<ReturnType<typeof openEngine>>,
    hooks: Hooks,
  ) => Promise<TunnelReport>,
): Promise<void> {
  const { threads, memory, progress, quiet = false, json } = words;
  const view = openTunnelView(progress, quiet, end);
  const metrics = words.metrics === undefined ? undefined : await serveMetrics(words.metrics, end);
  const engine = await openEngine({
    memoryBytes: memory,
    ...(threads === undefined ? {} : { threads }),
  });
  try {
    const onProgress = (at: TunnelProgress): void => {
      view.onProgress(at);
      metrics?.update(at);
    };
    const hooks = hooksOf(words, onProgress, (message) => view.onNotice(message));
    const report = await operation(engine, hooks);
    view.end();
    if (json) await printJson(`tunnel-${end}`, report);
    else summarize(describeTunnel(report), words);
    judge(report);
  } finally {
    view.end();
    await metrics?.close();
    await engine.close();
  }
}

/** Exit codes: a guest that is in doubt matters more than one that stayed. */
function judge({ guests }: TunnelReport): void {
  const doubtful = guests.filter(({ outcome }) => outcome === "doubt");
  if (doubtful.length > 0) {
    const names = doubtful.map(({ name }) => name).join(", ");
    throw new InDoubt(
      `in doubt: ${names}: handed over, but no answer came. Paused here; look whether the target ` +
        `runs it (query-status there): if so, quit it here; if not, end the process that holds ` +
        `its socket and it goes on here`,
    );
  }
  const failed = guests.filter(({ outcome }) => outcome !== "migrated");
  if (failed.length > 0) {
    throw new Error(`not migrated: ${failed.map(({ name }) => name).join(", ")}`);
  }
}
