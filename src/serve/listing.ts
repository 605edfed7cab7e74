// The list of the images that are served: a small page for people, an object for programs.
import type { ServedArchive } from "./servedarchive.ts";
import type { ServedImage } from "./servedimage.ts";

const STYLE =
  "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;" +
  "color-scheme:light dark}table{border-collapse:collapse;width:100%}" +
  "td,th{text-align:left;padding:.3rem .8rem .3rem 0;overflow-wrap:anywhere}" +
  ".n{text-align:right;white-space:nowrap}";

/** The path under which an image is found. */
export function pathOf(name: string): string {
  return `/images/${name.split("/").map(encodeURIComponent).join("/")}`;
}

export function jsonList({ path, images }: ServedArchive): string {
  const entries = [...images.values()].map((image) => ({
    name: image.name,
    format: image.format,
    byteLength: image.byteLength,
    mtimeMs: image.mtimeMs,
    checksum: image.checksum,
    ...(image.sha256 === undefined ? {} : { sha256: image.sha256 }),
    href: pathOf(image.name),
  }));
  const object = { schema: "pagefold/served-images/1", archive: path, images: entries };
  return `${JSON.stringify(object, null, 2)}\n`;
}

export function htmlList({ path, images }: ServedArchive): string {
  const title = escapeHtml(path);
  const rows = [...images.values()].map(rowOf).join("\n");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${title}</title>
<meta name="viewport" content="width=device-width"><style>${STYLE}</style></head>
<body><h1>${title}</h1>
<table><thead>
<tr><th>image</th><th>format</th><th class="n">bytes</th><th>modified</th></tr>
</thead><tbody>
${rows}
</tbody></table>
<p><a href="/images.json">The same as JSON</a></p>
</body></html>
`;
}

function rowOf({ name, format, byteLength, mtimeMs }: ServedImage): string {
  const link = `<a href="${escapeHtml(pathOf(name))}">${escapeHtml(name)}</a>`;
  const modified = dateText(mtimeMs);
  const size = `<td class="n">${byteLength}</td>`;
  return `<tr><td>${link}</td><td>${escapeHtml(format)}</td>${size}<td>${modified}</td></tr>`;
}

function dateText(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString();
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
