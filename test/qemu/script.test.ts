// Steps of a script: what is joined, and that reading gives what was written.
import { describe, expect, it } from "vitest";
import { ByteWriter } from "../../src/core/bytes.ts";
import { ScriptReader, ScriptWriter, Step } from "../../src/qemu/script.ts";

function written(write: (script: ScriptWriter) => void): [number, number][] {
  const bytes = new ByteWriter();
  const script = new ScriptWriter();
  script.into(bytes, 1 << 20);
  write(script);
  script.flush();
  const reader = new ScriptReader(bytes.take(), "web");
  const steps: [number, number][] = [];
  while (reader.next()) {
    const isMove = [Step.PAGE, Step.ZERO, Step.MOVE].includes(reader.step as 3);
    steps.push([reader.step, isMove ? reader.distance : reader.count]);
    if (reader.step === Step.VERBATIM) reader.skip(reader.count);
    if (reader.step === Step.BLOCK && steps.filter(([step]) => step === Step.BLOCK).length === 1) {
      reader.skip(reader.u8());
    }
  }
  return steps;
}

describe("script", () => {
  it("joins records that continue, and bytes that are passed", () => {
    const text = new Uint8Array(5);
    const steps = written((script) => {
      script.verbatim(text, 0, 3);
      script.verbatim(text, 1, 5);
      for (const page of [0, 1, 2, 7, 8]) script.record(Step.PAGES, page);
      for (const page of [9, 10, 3]) script.record(Step.ZEROS, page);
      script.verbatim(text, 2, 2);
      script.record(Step.ZEROS, 4);
    });
    expect(steps).toEqual([
      [Step.VERBATIM, 7],
      [Step.PAGES, 3],
      [Step.PAGE, 4],
      [Step.PAGES, 1],
      [Step.ZEROS, 2],
      [Step.ZERO, -8],
      [Step.ZEROS, 1],
    ]);
  });

  it("names a block in full once, and moves to patches", () => {
    const name = new Uint8Array(6);
    const steps = written((script) => {
      script.block(2, name);
      script.xbzrle(5, 100);
      script.block(2, name);
      script.xbzrle(0, 7);
    });
    expect(steps).toEqual([
      [Step.BLOCK, 2],
      [Step.MOVE, 5],
      [Step.XBZRLE, 100],
      [Step.BLOCK, 2],
      [Step.XBZRLE, 7],
    ]);
  });

  it("marks the ends of parts, and says what settles", () => {
    const settles: boolean[] = [];
    const steps = written((script) => {
      script.record(Step.PAGES, 0);
      script.mark(false);
      script.record(Step.PAGES, 1);
      settles.push(script.takeSettles());
      script.mark(true);
      settles.push(script.takeSettles(), script.takeSettles());
      script.xbzrle(2, 1);
      settles.push(script.takeSettles());
    });
    expect(steps).toEqual([
      [Step.PAGES, 1],
      [Step.PAGES, 0],
      [Step.PAGES, 1],
      [Step.ZEROS, 0],
      [Step.XBZRLE, 1],
    ]);
    expect(settles).toEqual([false, true, false, true]);
  });

  it("counts the bytes that steps stand for", () => {
    const script = new ScriptWriter();
    script.into(new ByteWriter(), 1 << 20);
    script.verbatim(new Uint8Array(9), 0, 9);
    script.block(0, new Uint8Array(6));
    script.record(Step.PAGES, 3);
    script.record(Step.ZEROS, 4);
    script.xbzrle(9, 50);
    expect(script.takeStreamBytes()).toBe(9 + 7 + 4104 + 9 + 11);
    expect(script.takeStreamBytes()).toBe(0);
  });

  it("knows how much room there is for steps and for what they stand for", () => {
    const script = new ScriptWriter();
    script.into(new ByteWriter(), 1 << 20);
    script.verbatim(new Uint8Array(60_000), 0, 60_000);
    expect(script.room).toBe(5536);
    script.flush();
    script.into(new ByteWriter(), 70_000);
    expect(script.room).toBe(10_000);
    script.record(Step.PAGES, 0);
    expect(script.room).toBe(10_000 - 4104);
  });
});
