// Lines of a monitor: cut anywhere, with limits.
import { describe, expect, it } from "vitest";
import { QmpLines } from "../../src/qemu/qmplines.ts";

const take = (lines: QmpLines, text: string) => [...lines.take(Buffer.from(text))];

describe("qmplines", () => {
  it("gives messages when their line ends, and skips empty lines", () => {
    const lines = new QmpLines("m");
    expect(take(lines, '{"ret')).toEqual([]);
    expect(take(lines, 'urn": {}}\r\n\r\n{"event": "STOP"}\n{')).toEqual([
      { return: {} },
      { event: "STOP" },
    ]);
    expect(take(lines, "}\n")).toEqual([{}]);
  });

  it.each(["12\n", "null\n", "hello\n", '{"a":\n'])("refuses %j", (text) => {
    expect(() => take(new QmpLines("m"), text)).toThrow("m: not QMP: a line is no JSON object");
  });

  it("does not collect a line without end", () => {
    const lines = new QmpLines("m");
    const piece = "x".repeat(1 << 20);
    expect(() => {
      for (let i = 0; i < 20; i++) take(lines, piece);
    }).toThrow("a line is over 16777216 characters");
  });
});
