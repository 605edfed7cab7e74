// Makes dist/report/page.html: the report page in one file, with its style, its script and the
// licences of what is in that script. `reportPage` puts the numbers of a report into it.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rolldown } from "rolldown";

const SOURCE = "src/report/page";

export async function writeReportPage() {
  const { script, modules } = await bundleScript();
  const style = readFileSync(join(SOURCE, "style.css"), "utf8").replace(/\s*\n\s*/g, "\n");
  const hash = createHash("sha256").update(script).digest("base64");
  const parts = {
    SCRIPT_HASH: `sha256-${hash}`,
    "/* STYLE */": style,
    "/* SCRIPT */": script,
    LICENCES: licencesOf(modules),
  };
  let page = readFileSync(join(SOURCE, "page.html"), "utf8");
  for (const [mark, part] of Object.entries(parts)) {
    // Inside of an element, its end tag alone could end it.
    if (/<\/(script|style)|<!--/i.test(part)) throw new Error(`${mark}: holds a tag`);
    if (page.split(mark).length !== 2) throw new Error(`${mark}: is not there once`);
    page = page.replace(mark, () => part);
  }
  mkdirSync("dist/report", { recursive: true });
  writeFileSync("dist/report/page.html", page);
}

async function bundleScript() {
  const bundle = await rolldown({
    input: join(SOURCE, "main.ts"),
    platform: "browser",
    transform: { target: "es2022" },
  });
  const { output } = await bundle.generate({ format: "iife", minify: true, comments: false });
  await bundle.close();
  const [{ code, moduleIds }] = output;
  return { script: code, modules: moduleIds };
}

/**
 * The licence of every package that gave a module; packages of the same licence together.
 * @param {readonly string[]} modules
 */
function licencesOf(modules) {
  const roots = modules.flatMap(
    (path) => /^.*\/node_modules\/(@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [],
  );
  /** @type {Map<string, string[]>} */
  const packages = new Map();
  for (const root of [...new Set(roots)].sort()) {
    const file = readdirSync(root).find((name) => /^licen[cs]e/i.test(name));
    if (file === undefined) throw new Error(`${root}: has no licence`);
    const text = readFileSync(join(root, file), "utf8").trim();
    const { name, version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    packages.set(text, [...(packages.get(text) ?? []), `${name} ${version}`]);
  }
  const texts = [...packages].map(([text, names]) => `${names.join(", ")}\n\n${text}`);
  return texts.join("\n\n---\n\n").replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
