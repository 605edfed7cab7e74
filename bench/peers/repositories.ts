// borg and restic: archivers that keep a repository of chunks. Neither encrypts here if it can be
// told not to; restic always does. Both are kept away from the user's own settings and caches.
import { join } from "node:path";
import type { Command } from "../process.ts";
import { type Job, PAGE_OF_STREAM, restoredFolder, shell, type Tool } from "./tool.ts";

const repositoryOf = ({ folder }: Job) => join(folder, "repository");

/** The files lie below the target under their whole paths. */
function restoredFiles(job: Job): [string, string][] {
  return job.set.images.map((path) => [join(restoredFolder(job), path), path]);
}

function borg(name: string, createWords: readonly string[]): Tool {
  const withEnvironment = (job: Job, command: Command): Command => ({
    ...command,
    env: {
      BORG_BASE_DIR: join(job.folder, "borg"),
      BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: "yes",
    },
  });
  const archiveOf = (job: Job) => `${repositoryOf(job)}::bench`;
  return {
    name,
    packed: repositoryOf,
    makeRepository: (job) =>
      withEnvironment(job, { program: "borg", words: ["init", "-e", "none", repositoryOf(job)] }),
    pack: (job) =>
      withEnvironment(job, {
        program: "borg",
        words: ["create", ...createWords, archiveOf(job), ...job.set.images],
      }),
    unpack: (job) =>
      withEnvironment(job, {
        program: "borg",
        words: ["extract", archiveOf(job)],
        cwd: restoredFolder(job),
      }),
    restored: restoredFiles,
    page: (job, image, offset) =>
      withEnvironment(
        job,
        shell(`borg extract --stdout "$2" "$3" | ${PAGE_OF_STREAM}`, [
          `${offset}`,
          archiveOf(job),
          job.set.images[image].replace(/^\//, ""),
        ]),
      ),
  };
}

function resticCommand({ threads, folder }: Job, words: readonly string[]): Command {
  const repository = join(folder, "repository");
  return {
    program: "restic",
    words: ["-q", "--no-cache", "-r", repository, ...words],
    env: { RESTIC_PASSWORD: "bench", GOMAXPROCS: `${threads}` },
  };
}

const restic: Tool = {
  name: "restic",
  packed: repositoryOf,
  makeRepository: (job) => resticCommand(job, ["init"]),
  pack: (job) => resticCommand(job, ["backup", ...job.set.images]),
  unpack: (job) => resticCommand(job, ["restore", "latest", "--target", restoredFolder(job)]),
  restored: restoredFiles,
  page(job, image, offset) {
    const { env = {} } = resticCommand(job, []);
    const words = [`${offset}`, repositoryOf(job), job.set.images[image]];
    const line = `restic -q --no-cache -r "$2" dump latest "$3" | ${PAGE_OF_STREAM}`;
    return { ...shell(line, words), env };
  },
};

export const repositories: { program: string; tools: Tool[] }[] = [
  {
    program: "borg",
    tools: [
      borg("borg, 4 KiB chunks", ["--compression", "lz4", "--chunker-params", "fixed,4096"]),
      borg("borg", []),
    ],
  },
  { program: "restic", tools: [restic] },
];
