// node scripts/readme.mjs runs what README.md tells its readers to run: blocks marked `sh` or
// `js`, and the lines after "$ " of those marked `console`, in order, in one folder that holds four
// small images. Commands of npm are run by .ci/run, so here they only have to be found there.
import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const IMAGES = 4;
const IMAGE_BYTES = 8 << 20;

/**
 * The blocks of a text that are meant to be run.
 * @param {string} text
 */
function runnableBlocks(text) {
  const blocks = [];
  for (const [, language, body] of text.matchAll(/^```(sh|console|js)\n(.*?)^```$/gms)) {
    blocks.push({ language, body: language === "console" ? commandsOf(body) : body });
  }
  return blocks;
}

/**
 * What was typed in a recorded session: lines after "$ ", and those that continue them.
 * @param {string} session
 */
function commandsOf(session) {
  const commands = [];
  let isContinued = false;
  for (const line of session.split("\n")) {
    if (line.startsWith("$ ")) commands.push(line.slice(2));
    else if (isContinued) commands.push(line);
    else continue;
    isContinued = line.endsWith("\\");
  }
  return commands.join("\n");
}

/**
 * Takes the lines that begin with npm out of a script; each must be part of .ci/run.
 * @param {string} script
 * @param {string} ci
 */
function withoutNpm(script, ci) {
  const lines = script.split("\n");
  for (const line of lines.filter((text) => text.startsWith("npm "))) {
    for (const command of line.replace(/#.*/, "").split("&&")) {
      const [words] = command.trim().split(" -- ");
      if (!ci.includes(words)) throw new Error(`README.md: .ci/run does not run "${words}"`);
    }
  }
  return lines.filter((text) => !text.startsWith("npm ")).join("\n");
}

/**
 * Four images: pieces of the running program, one after the other, with a hole between them.
 * @param {string} folder
 */
async function writeImages(folder) {
  const program = await readFile(process.execPath);
  for (let i = 0; i < IMAGES; i++) {
    const image = Buffer.alloc(IMAGE_BYTES);
    program.copy(image, 0, i << 20, (i << 20) + (IMAGE_BYTES >> 2));
    program.copy(image, IMAGE_BYTES >> 1, 0, IMAGE_BYTES >> 2);
    await writeFile(join(folder, `vm${i}.raw`), image);
  }
}

const blocks = runnableBlocks(await readFile(join(root, "README.md"), "utf8"));
if (blocks.length === 0) throw new Error("README.md holds no command");
const ci = await readFile(join(root, ".ci/run"), "utf8");
const folder = await mkdtemp(join(tmpdir(), "pagefold-readme-"));
try {
  const bin = join(folder, "node_modules/.bin");
  await mkdir(bin, { recursive: true });
  await symlink(root, join(folder, "node_modules/pagefold"));
  await chmod(join(root, "dist/cli/main.js"), 0o755);
  await symlink(join(root, "dist/cli/main.js"), join(bin, "pagefold"));
  await writeImages(folder);
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
  for (const [i, { language, body }] of blocks.entries()) {
    const script = language === "js" ? body : withoutNpm(body, ci);
    if (script.trim() === "") continue;
    process.stdout.write(`${script.trimEnd()}\n`);
    const path = join(folder, `block-${i}.${language === "js" ? "mjs" : "sh"}`);
    await writeFile(path, script);
    const [program, args] =
      language === "js" ? [process.execPath, []] : ["bash", ["-euo", "pipefail"]];
    execFileSync(program, [...args, path], { cwd: folder, env, stdio: "inherit" });
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
