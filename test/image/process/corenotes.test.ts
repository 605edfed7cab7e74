// The notes of a core of a live process, decoded by hand at the offsets that debuggers use.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { collectNotes, coreMachine, registersOf } from "../../../src/image/process/corenotes.ts";
import { mappingBytes, parseMaps } from "../../../src/image/process/maps.ts";
import { readStat, threadIds } from "../../../src/image/process/process.ts";
import { startHolder } from "../../support/processes.ts";

const MACHINE = coreMachine();
if (MACHINE === undefined) throw new Error(`cores are not written on ${process.arch}`);
const machine = MACHINE;

function decode(notes: Uint8Array): { type: number; content: Buffer }[] {
  const bytes = Buffer.from(notes);
  const decoded = [];
  for (let at = 0; at < bytes.length; ) {
    expect(bytes.toString("latin1", at + 12, at + 20)).toBe("CORE\0\0\0\0");
    const length = bytes.readUInt32LE(at + 4);
    const type = bytes.readUInt32LE(at + 8);
    decoded.push({ type, content: bytes.subarray(at + 20, at + 20 + length) });
    at += 20 + Math.ceil(length / 4) * 4;
  }
  return decoded;
}

describe("corenotes", () => {
  test("describe the process, its threads and its files", async () => {
    const pid = await startHolder(1);
    const mappings = parseMaps(readFileSync(`/proc/${pid}/maps`, "utf8"));
    const threads = await threadIds(pid);
    const notes = decode(await collectNotes(await readStat(pid), machine, mappings));
    const [process_, first, ...rest] = notes;

    expect(process_.type).toBe(3);
    expect(process_.content.length).toBe(136);
    expect(process_.content.readUInt32LE(24)).toBe(pid);
    expect(process_.content.readUInt32LE(28)).toBe(process.pid);
    expect(process_.content.toString("latin1", 40, 45)).toBe("node\0");
    expect(process_.content.toString("latin1", 56)).toContain(process.execPath.slice(0, 79));

    expect(first.type).toBe(1);
    expect(first.content.length).toBe(112 + machine.registerCount * 8 + 8);
    expect(first.content.readUInt32LE(32)).toBe(pid);
    const programCounter = first.content.readBigUInt64LE(112 + machine.programCounter * 8);
    // The holder waits in its event loop, so its place is known, and is code.
    const code = mappings.find(({ start, end }) => start <= programCounter && programCounter < end);
    expect(code?.permissions[2]).toBe("x");

    expect(rest.filter(({ type }) => type === 1)).toHaveLength(threads.length - 1);
    const auxv = rest.find(({ type }) => type === 6);
    expect(auxv?.content.equals(readFileSync(`/proc/${pid}/auxv`))).toBe(true);

    const files = rest.at(-1);
    expect(files?.type).toBe(0x46494c45);
    const count = Number(files?.content.readBigUInt64LE(0));
    const mapped = mappings.filter((one) => one.inode !== 0n && mappingBytes(one) > 0);
    expect(count).toBe(mapped.length);
    expect(files?.content.readBigUInt64LE(8)).toBe(4096n);
    expect(files?.content.readBigUInt64LE(16)).toBe(mapped[0].start);
    const names = files?.content.toString("utf8", 16 + count * 24).split("\0");
    expect(names).toEqual([...mapped.map(({ name }) => name), ""]);
  });

  test("registers come from the line that /proc gives", () => {
    const place: [number, bigint][] = [
      [machine.stackPointer, 0x7ffdn],
      [machine.programCounter, 0x7f07n],
    ];
    expect(registersOf("running\n", machine)).toEqual([]);
    expect(registersOf("", machine)).toEqual([]);
    expect(registersOf("-1 0x7ffd 0x7f07\n", machine)).toEqual([
      [machine.syscall, 2n ** 64n - 1n],
      ...place,
    ]);
    const inCall = registersOf("230 0x1 0x2 0x3 0x4 0x5 0x6 0x7ffd 0x7f07\n", machine);
    expect(inCall).toEqual([
      [machine.syscall, 230n],
      ...place,
      ...machine.args.map((register, i) => [register, BigInt(i + 1)]),
    ]);
  });
});
