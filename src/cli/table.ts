// Tables of plain text: numbers to the right, words to the left, two blanks between columns.

export interface Column {
  title: string;
  align: "left" | "right";
}

/** Lines without trailing blanks, each ended by "\n". A row has one cell per column. */
export function formatTable(columns: readonly Column[], rows: readonly string[][]): string {
  const head = columns.some(({ title }) => title !== "") ? [columns.map(({ title }) => title)] : [];
  const lines = [...head, ...rows];
  const widths = columns.map((_, i) => Math.max(0, ...lines.map((cells) => cells[i].length)));
  const text = lines.map((cells) =>
    cells
      .map((cell, i) =>
        columns[i].align === "right" ? cell.padStart(widths[i]) : cell.padEnd(widths[i]),
      )
      .join("  ")
      .trimEnd(),
  );
  return text.map((line) => `${line}\n`).join("");
}
