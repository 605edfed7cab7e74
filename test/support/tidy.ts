// The rules of the house as a checker: layers, lengths, names, dead files, the mirror of the tests.
// It takes the tree as texts by path and returns complaints, so a bad sample can be given to it.
import { posix } from "node:path";
import ts from "typescript";

/** All files by path relative to the root. */
export type Tree = ReadonlyMap<string, string>;

/**
 * The level of each folder of src/. Kernels lie below the rest of their level, because the tables
 * of dedup/ are kernels. The files of src/ itself are level 6, but for the types of the public
 * interface: archive/ implements them.
 */
const LEVELS: Readonly<Record<string, number>> = {
  core: 0,
  kernels: 0.5,
  wire: 1,
  dedup: 1,
  qemu: 1,
  image: 2,
  pool: 2,
  transport: 2,
  store: 2,
  pipeline: 3,
  "api.ts": 3,
  "archiveapi.ts": 2.5,
  "explainapi.ts": 2.5,
  "streamapi.ts": 2.6,
  archive: 4,
  migration: 4,
  replication: 4.5,
  serve: 4.5,
  report: 4,
  service: 5,
  "": 6,
  cli: 7,
};
/** Folders that the code of a worker thread may come from. */
const WORKER_FOLDERS = ["pool", "kernels", "core"];
const ENTRIES = [
  "src/index.ts",
  "src/cli/main.ts",
  "src/pool/worker.ts",
  "src/report/page/main.ts",
];
/** What may be named in one folder alone. */
const CONFINED = [
  { word: "WebAssembly", folder: "kernels" },
  { word: "@assemblyscript/loader", folder: "kernels" },
  { word: "Piscina", folder: "pool" },
  { word: "piscina", folder: "pool" },
];
const MAX_FILE_LINES = 250;
const MAX_FUNCTION_LINES = 70;
const MAX_COLUMNS = 100;
const BANNED_NAME = /(^|[-_.])(utils?|helpers?|managers?|data|info|misc)([-_.]|$)/i;
const MARK = new RegExp(["TO", "DO|FIX", "ME"].join(""));

interface Source {
  path: string;
  text: string;
  ast: ts.SourceFile;
  /** Specifiers of all imports and re-exports, those of types included. */
  imports: string[];
}

export function complaints(tree: Tree): string[] {
  const sources = [...tree].filter(([path]) => /\.m?[tj]s$/.test(path)).map(parse);
  return [
    ...sources.flatMap((source) => [
      ...checkText(source),
      ...checkFunctions(source),
      ...checkLayer(source),
      ...checkTest(source),
    ]),
    ...checkReach(sources),
    ...checkMirror(tree),
  ];
}

function parse([path, text]: [string, string]): Source {
  const ast = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const imports: string[] = [];
  visit(ast, (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      if (node.moduleSpecifier) imports.push((node.moduleSpecifier as ts.StringLiteral).text);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [specifier] = node.arguments;
      if (specifier && ts.isStringLiteral(specifier)) imports.push(specifier.text);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      imports.push((node.argument.literal as ts.StringLiteral).text);
    }
  });
  return { path, text, ast, imports };
}

function visit(node: ts.Node, each: (node: ts.Node) => void): void {
  each(node);
  node.forEachChild((child) => visit(child, each));
}

/** Whether a file belongs to the product, whose rules are the strictest. */
function isProduct(path: string): boolean {
  return path.startsWith("src/") || path.startsWith("assembly/");
}

function checkText({ path, text, ast }: Source): string[] {
  const found: string[] = [];
  const lines = text.trimEnd().split("\n");
  if (BANNED_NAME.test(posix.basename(path).replace(/\.m?[tj]s$/, ""))) {
    found.push(`${path}: the name says nothing about the content`);
  }
  lines.forEach((line, i) => {
    if (line.length > MAX_COLUMNS) found.push(`${path}:${i + 1}: ${line.length} columns`);
  });
  if (!/^(#!.*\n)?(\/\/ |\/\*\*)/.test(text)) found.push(`${path}: does not say what it is`);
  const isDefault = (node: ts.Statement) =>
    ts.isExportAssignment(node) ||
    (ts.canHaveModifiers(node) &&
      ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword));
  // The tools that read configurations ask for a default export.
  if (!path.endsWith(".config.ts") && ast.statements.some(isDefault)) {
    found.push(`${path}: has a default export`);
  }
  if (!isProduct(path)) return found;
  if (lines.length > MAX_FILE_LINES) found.push(`${path}: ${lines.length} lines`);
  if (MARK.test(text)) found.push(`${path}: holds an unfinished mark`);
  return found;
}

function checkFunctions({ path, ast }: Source): string[] {
  if (path.startsWith("test/")) return [];
  const found: string[] = [];
  const lineOf = (at: number) => ast.getLineAndCharacterOfPosition(at).line;
  visit(ast, (node) => {
    if (!ts.isFunctionLike(node) || !("body" in node) || !node.body) return;
    const first = lineOf(node.getStart());
    const lines = lineOf(node.getEnd()) - first + 1;
    if (lines > MAX_FUNCTION_LINES) {
      found.push(`${path}:${first + 1}: a function of ${lines} lines`);
    }
  });
  return found;
}

/** The folder of src/ that a path lies in; undefined outside of src/. */
function folderOf(path: string): string | undefined {
  const parts = path.split("/");
  if (parts[0] !== "src") return undefined;
  if (parts.length > 2) return parts[1];
  return parts[1] in LEVELS ? parts[1] : "";
}

/** The path that a relative import of a file means. */
function targetOf(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  return posix.join(posix.dirname(from), specifier);
}

function checkLayer({ path, ast, imports }: Source): string[] {
  const folder = folderOf(path);
  if (folder === undefined) return [];
  if (!(folder in LEVELS)) return [`${path}: the folder ${folder} has no level`];
  const found: string[] = [];
  for (const specifier of imports) {
    const target = targetOf(path, specifier);
    if (target === undefined) continue;
    const other = folderOf(target);
    const isAllowed =
      other === folder ||
      (folder === "cli"
        ? target === "src/index.ts"
        : other !== undefined && LEVELS[other] < LEVELS[folder]);
    if (!isAllowed) found.push(`${path}: may not import ${target}`);
  }
  const words = new Set(imports);
  visit(ast, (node) => {
    if (ts.isIdentifier(node)) words.add(node.text);
  });
  for (const { word, folder: home } of CONFINED) {
    if (folder !== home && words.has(word)) found.push(`${path}: names ${word}`);
  }
  return found;
}

function checkTest({ path, ast }: Source): string[] {
  if (!path.startsWith("test/")) return [];
  const found: string[] = [];
  visit(ast, (node) => {
    if (!ts.isPropertyAccessExpression(node) || !ts.isIdentifier(node.expression)) return;
    const call = `${node.expression.text}.${node.name.text}`;
    if (/^(it|test|describe)\.(skip|only|todo)$/.test(call)) found.push(`${path}: ${call}`);
  });
  return found;
}

/** Everything that is imported, directly or not, by the files `from`. */
function reachable(sources: readonly Source[], from: readonly string[]): Set<string> {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const reached = new Set<string>();
  const open = [...from];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const source = byPath.get(path);
    if (!source || reached.has(path)) continue;
    reached.add(path);
    for (const specifier of source.imports) {
      const target = targetOf(path, specifier);
      if (target !== undefined) open.push(target);
    }
  }
  return reached;
}

function checkReach(sources: readonly Source[]): string[] {
  const found: string[] = [];
  const live = reachable(sources, ENTRIES);
  for (const { path } of sources) {
    if (path.startsWith("src/") && !live.has(path)) found.push(`${path}: nothing imports it`);
  }
  for (const path of reachable(sources, ["src/pool/worker.ts"])) {
    const folder = folderOf(path) ?? "";
    if (!WORKER_FOLDERS.includes(folder)) found.push(`${path}: is loaded by the worker`);
  }
  const kernels = sources.filter(({ path }) => path.startsWith("assembly/"));
  const asModule = kernels.map((source) => ({
    ...source,
    imports: source.imports.map((specifier) => `${specifier}.ts`.replace(/\.ts\.ts$/, ".ts")),
  }));
  const compiled = reachable(asModule, ["assembly/index.ts"]);
  for (const { path } of kernels) {
    if (!compiled.has(path)) found.push(`${path}: is not part of the module`);
  }
  return found;
}

/** Tests of kernels and layers are named after a file; those of the CLI speak of whole commands. */
function checkMirror(tree: Tree): string[] {
  const found: string[] = [];
  for (const path of tree.keys()) {
    // "lz4.fuzz.test.ts" is one of several tests of lz4.ts.
    const [, folder, name] = /^test\/(\w+)\/([^/.]+)(?:\.\w+)?\.test\.ts$/.exec(path) ?? [];
    if (folder === undefined || name === undefined) continue;
    const mirrored = folder === "assembly" ? `assembly/${name}` : `src/${folder}/${name}`;
    const isMirror = folder === "assembly" || (folder in LEVELS && folder !== "cli");
    if (isMirror && !tree.has(`${mirrored}.ts`)) found.push(`${path}: there is no ${mirrored}.ts`);
  }
  return found;
}
