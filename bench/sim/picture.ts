// The figures of the simulator as one page of HTML that needs nothing else: the charts of page.ts,
// bundled, with the numbers beside them.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import type { SimReport } from "./report.ts";

const STYLE = `body { font: 15px/1.5 system-ui, sans-serif; max-width: 1000px; margin: 2em auto; }
figure { margin: 1.5em 0; } h2 { font-size: 1.1em; margin-bottom: 0; }
p { margin: 0.3em 0; color: #555; }`;

export async function writePicture(report: SimReport, path: string): Promise<void> {
  const bundle = await rolldown({
    input: fileURLToPath(new URL("page.ts", import.meta.url)),
    platform: "browser",
  });
  const { output } = await bundle.generate({ format: "iife", minify: true });
  await bundle.close();
  // Inside of an element, its end tag alone could end it.
  const text = JSON.stringify(report).replaceAll("<", "\\u003c");
  const script = output[0].code.replaceAll("</script", "<\\/script");
  writeFileSync(
    path,
    `<!doctype html><meta charset="utf-8"><title>Racks, simulated</title><style>${STYLE}</style>
<h1>Racks, simulated</h1><main></main>
<script type="application/json" id="report">${text}</script><script>${script}</script>\n`,
  );
}
