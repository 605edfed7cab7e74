// pagefold replicate: checkpoints of a guest that runs, kept at a backup. The words of it; what
// they do is in replicating.ts.
import { type Command, InvalidArgumentError, Option } from "commander";
import { addExamples } from "./options.ts";
import { runBackup, runPrimary, runRelease, runResume, runStatus } from "./replicating.ts";

export function defineReplicate(command: Command): void {
  addExamples(command, [
    ["pagefold replicate backup --listen HOST:PORT …", "first, at the host that takes over"],
    ["pagefold replicate primary --connect HOST:PORT …", "then where the guest runs"],
    ["pagefold replicate resume DIR …", "when that host is lost"],
  ]);
  definePrimary(command.command("primary"));
  defineBackup(command.command("backup"));
  const status = command
    .command("status")
    .usage("DIR [--json]")
    .summary("show what a directory of a backup holds")
    .description("Shows what a directory of a backup holds.")
    .argument("<dir>", "the directory of a guest")
    .option("--json", "one JSON object on stdout")
    .action(runStatus);
  addExamples(status, [
    [
      "pagefold replicate status /var/lib/pagefold/web",
      "which epochs it has, how old and how large",
    ],
  ]);
  defineResume(command.command("resume"));
  const release = command
    .command("release")
    .usage("--qmp unix:PATH")
    .summary("let a guest go on whose pagefold has died")
    .description("Lets a guest go on whose pagefold has died.")
    .addOption(socketOption("--qmp <socket>", "the guest's monitor: unix:PATH"))
    .action(runRelease);
  addExamples(release, [
    ["pagefold replicate release --qmp unix:/run/web.qmp", "ends what was captured of it"],
  ]);
}

function definePrimary(command: Command): void {
  command
    .usage("--qmp unix:PATH --connect ADDRESS [options]")
    .summary("send the epochs of a guest of this host")
    .description("Captures a guest again and again, and sends what has changed to its backup.")
    .addOption(socketOption("--qmp <socket>", "the guest's monitor: unix:PATH"))
    .requiredOption("--connect <address>", "the backup: HOST:PORT or unix:PATH")
    .addOption(
      new Option("--interval <time>", "from one epoch to the next, at least")
        .argParser(parseInterval)
        .default(500, "500ms"),
    )
    .addOption(
      new Option("--capture <way>", "precopy or snapshot: while it runs; shared: out of its file")
        .choices(["auto", "precopy", "snapshot", "shared"])
        .default("auto"),
    )
    .addOption(
      new Option("--granularity <unit>", "what is sent of a changed page: 64-byte blocks, or all")
        .choices(["block", "page"])
        .default("block"),
    )
    .addOption(
      new Option(
        "--hold-output <netdev>",
        "hold what it sends there until the backup knows; repeatable",
      ).argParser((netdev: string, others?: string[]) => [...(others ?? []), netdev]),
    )
    .option("--unprotect", "let it send while the backup is lost, which is behind then")
    .addOption(
      new Option("--disk-consistency <who>", "who sees to disks that the guest writes to").choices([
        "external",
      ]),
    )
    .action(runPrimary);
  addLinkOptions(command);
  addExamples(command, [
    [
      "pagefold replicate primary --qmp unix:/run/web.qmp \\\n" +
        "      --connect 10.0.0.2:7800 --tls-dir /etc/pki/qemu",
      "an epoch every 500 ms, until it is interrupted; the guest runs on",
    ],
    [
      "pagefold replicate primary --qmp unix:/run/web.qmp \\\n" +
        "      --connect 10.0.0.2:7800 --tls-dir /etc/pki/qemu \\\n" +
        "      --interval 100ms --hold-output net0",
      "nobody hears from the guest what its backup does not know",
    ],
  ]);
}

function defineBackup(command: Command): void {
  command
    .usage("--listen ADDRESS --dir DIR [options]")
    .summary("keep the epochs of a guest of another host")
    .description("Keeps the epochs of one guest in a directory, each complete or not at all.")
    .requiredOption("--listen <address>", "where to wait: HOST:PORT or unix:PATH")
    .requiredOption("--dir <dir>", "the directory of this guest")
    .addOption(
      new Option("--keep <count>", "epochs that can be resumed").argParser(parseCount).default(2),
    )
    .action(runBackup);
  addLinkOptions(command);
  addExamples(command, [
    [
      "pagefold replicate backup --listen 10.0.0.2:7800 \\\n" +
        "      --tls-dir /etc/pki/qemu --dir /var/lib/pagefold/web",
      "serves the primary, and the next one after it was lost",
    ],
  ]);
}

function defineResume(command: Command): void {
  command
    .usage("DIR --incoming unix:PATH [options]")
    .summary("bring a guest back into a QEMU that waits for it")
    .description("Brings a guest back into a QEMU that waits for it.")
    .argument("<dir>", "the directory of its backup")
    .addOption(socketOption("--incoming <socket>", "where QEMU waits: unix:PATH"))
    .addOption(
      new Option("--epoch <number>", "which one of those it holds (default: the last)").argParser(
        parseCount,
      ),
    )
    .option("--ram-file <path>", "where its memory file goes, with --capture shared")
    .option("--allow-behind", "also an epoch that the world may have heard more of")
    .option("--json", "one JSON object on stdout")
    .action(runResume);
  addExamples(command, [
    [
      "pagefold replicate resume /var/lib/pagefold/web \\\n" +
        "      --incoming unix:/run/web-in.sock",
      "QEMU was started with the same words and -incoming unix:/run/web-in.sock",
    ],
  ]);
}

function addLinkOptions(command: Command): void {
  command
    .option("--tls-dir <dir>", "certificates, as QEMU's x509 credentials have them")
    .option("--insecure", "allow plain TCP beyond this machine")
    .addOption(
      new Option("--progress <mode>", "what is said of every epoch, on stderr")
        .choices(["auto", "json", "none"])
        .default("auto"),
    )
    .option("-q, --quiet", "say only what went wrong");
}

function socketOption(flags: string, what: string): Option {
  return new Option(flags, what).argParser(parseSocket).makeOptionMandatory();
}

function parseSocket(word: string): string {
  const [, path] = /^unix:(.+)$/s.exec(word) ?? [];
  if (path === undefined) throw new InvalidArgumentError("A socket is unix:PATH.");
  return path;
}

function parseInterval(word: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|s)$/.exec(word) ?? [];
  if (digits === undefined) throw new InvalidArgumentError("A time is like 500ms or 2s.");
  return Number(digits) * (unit === "s" ? 1000 : 1);
}

function parseCount(word: string): number {
  if (!/^[1-9]\d{0,14}$/.test(word)) throw new InvalidArgumentError("A number from 1 on.");
  return Number(word);
}
