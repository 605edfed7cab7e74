// pagefold serve: gives the images of an archive to other programs, over HTTP and NBD, until it is
// interrupted.
import { type Command, InvalidArgumentError, Option } from "commander";
import { openEngine, serveArchive } from "../index.ts";
import { parseSize, parseThreads } from "./args.ts";
import { formatCount, printable } from "./format.ts";
import { refuseStdin } from "./inputs.ts";
import { interrupt } from "./interrupt.ts";
import { type KeyOption, keyed, keyOption } from "./keyfile.ts";
import { addExamples, type BaseOption, baseOption, DEFAULT_MEMORY_BYTES } from "./options.ts";
import { note } from "./streams.ts";
import { printJson } from "./work.ts";

interface Options extends BaseOption, KeyOption {
  listen?: string;
  nbd?: string;
  image?: string[];
  tlsDir?: string;
  insecure?: boolean;
  socketMode?: number;
  socketGroup?: string;
  threads?: number;
  memory: number;
  quiet?: boolean;
  json?: boolean;
}

const DEFAULT_LISTEN = "127.0.0.1:8420";
/** Deltas refer to pages all over an archive: what each thread keeps of them. */
const CACHE_BYTES = 64 << 20;

export function defineServe(command: Command): void {
  command
    .argument("<archive>", "an archive in a file")
    .option("--listen <address>", `HTTP at HOST:PORT or unix:PATH (default: ${DEFAULT_LISTEN})`)
    .option("--nbd <address>", "NBD at HOST:PORT or unix:PATH; HTTP then only with --listen")
    .addOption(
      new Option("--image <name>", "serve only this one; repeatable").argParser(
        (name: string, soFar?: string[]) => [...(soFar ?? []), name],
      ),
    )
    .addOption(baseOption())
    .addOption(keyOption())
    .option("--tls-dir <dir>", "certificates for TCP, as QEMU's x509 credentials have them")
    .option("--insecure", "allow plain TCP beyond this machine")
    .addOption(
      new Option("--socket-mode <mode>", "of the sockets that we make (default: 0600)").argParser(
        parseMode,
      ),
    )
    .option("--socket-group <group>", "of the sockets that we make")
    .addOption(
      new Option(
        "-T, --threads <n>",
        "worker threads, 0 = one per processor (default: 0)",
      ).argParser(parseThreads),
    )
    .addOption(
      new Option("-M, --memory <size>", "upper bound of tables and buffers")
        .argParser(parseSize)
        .default(DEFAULT_MEMORY_BYTES, "512MiB"),
    )
    .option("-q, --quiet", "do not tell where it listens")
    .option("--json", "where it listens, as one JSON object on stdout")
    .action(serve);
  addExamples(command, [
    ["pagefold serve fleet.pfa", "then: curl -r 4096-8191 http://127.0.0.1:8420/images/vm1.raw"],
    [
      "pagefold serve fleet.pfa --nbd unix:/run/user/0/fleet.sock",
      "then: nbdcopy 'nbd+unix:///vm1.raw?socket=/run/user/0/fleet.sock' vm1.raw",
    ],
  ]);
}

function parseMode(word: string): number {
  if (!/^0?[0-7]{3}$/.test(word)) throw new InvalidArgumentError("A mode is octal, like 0660.");
  return Number.parseInt(word, 8);
}

async function serve(path: string, options: Options): Promise<void> {
  refuseStdin(path, "serve");
  const { listen, nbd, threads, memory, quiet, json } = options;
  const sealed = await keyed(options);
  const engine = await openEngine({
    memoryBytes: memory,
    cacheBytes: CACHE_BYTES,
    ...(threads === undefined ? {} : { threads }),
  });
  try {
    await using server = await serveArchive(engine, path, {
      http: listen ?? (nbd === undefined ? DEFAULT_LISTEN : undefined),
      nbd,
      names: options.image,
      ...sealed,
      tlsDirectory: options.tlsDir,
      insecure: options.insecure,
      socketMode: options.socketMode,
      socketGroup: options.socketGroup,
      signal: interrupt.signal,
      onNotice: (message) => note(`pagefold: warning: ${printable(message)}`),
    });
    const { images, httpUrl, nbdUri } = server;
    if (json) {
      await printJson("serve", { archive: path, httpUrl, nbdUri, images });
    } else if (!quiet) {
      const places = [httpUrl, nbdUri].filter((place) => place !== undefined).join(" and ");
      note(`serving ${formatCount(images.length, "image")} at ${places}`);
    }
    await interrupted();
  } finally {
    await engine.close();
  }
}

/** Rejects with the interruption. */
function interrupted(): Promise<never> {
  const { signal } = interrupt;
  return new Promise((_, reject) => {
    const end = (): void => reject(signal.reason);
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
  });
}
