// The notes of a core: who the process was, where its threads were, which files it had mapped. They
// hold what /proc tells; registers need a debugger, so a thread shows at most its place in a
// system call. Layouts are those of 64-bit Linux.
//
//   note         name bytes u32 | content bytes u32 | type u32 | name, padded to 4 | content, to 4
//   NT_PRSTATUS  +12 signal u16 | +16 pending u64 | +24 held u64 | +32 pid, ppid, pgrp, sid u32
//                +48 user, system, child user, child system time, each s u64 and µs u64
//                +112 registers u64 × n | float registers valid u32, padded to 8
//   NT_PRPSINFO  +0 state u8 | +1 letter | +2 ended u8 | +3 nice i8 | +8 flags u64 | +16 uid, gid,
//                pid, ppid, pgrp, sid u32 | +40 name, 16 bytes | +56 arguments, 80 bytes
//   NT_FILE      count u64 | unit u64 | (start u64, end u64, offset in units u64) × count | names,
//                each with a NUL
import { readFile } from "node:fs/promises";
import { PAGE_BYTES } from "../../core/page.ts";
import { type Mapping, mappingBytes } from "./maps.ts";
import { type ProcessStat, readStat, statusField, threadIds } from "./process.ts";

const NT_PRSTATUS = 1;
const NT_PRPSINFO = 3;
const NT_AUXV = 6;
const NT_FILE = 0x46494c45;
const REGISTERS_AT = 112;
const PRPSINFO_BYTES = 136;
const TICK_MICROSECONDS = 10_000;
/** States in the order of their numbers in NT_PRPSINFO. */
const STATES = "RSDTZW";

/** Which registers of a machine hold what /proc/PID/syscall tells. */
interface Machine {
  /** e_machine of the ELF header. */
  readonly id: number;
  readonly registerCount: number;
  readonly syscall: number;
  readonly args: readonly number[];
  readonly stackPointer: number;
  readonly programCounter: number;
}

const MACHINES: Partial<Record<string, Machine>> = {
  x64: {
    id: 62,
    registerCount: 27,
    syscall: 15,
    args: [14, 13, 12, 7, 9, 8],
    stackPointer: 19,
    programCounter: 16,
  },
  arm64: {
    id: 183,
    registerCount: 34,
    syscall: 8,
    args: [0, 1, 2, 3, 4, 5],
    stackPointer: 31,
    programCounter: 32,
  },
};

/** The machine that this program runs on; undefined when its cores are not known here. */
export function coreMachine(): Machine | undefined {
  return MACHINES[process.arch];
}

/** All notes of a process, in the order that debuggers expect. */
export async function collectNotes(
  stat: ProcessStat,
  machine: Machine,
  mappings: readonly Mapping[],
): Promise<Uint8Array> {
  const { pid } = stat;
  const auxv = await readFile(`/proc/${pid}/auxv`).catch(() => Buffer.alloc(0));
  const notes = [encodeNote(NT_PRPSINFO, await processDescription(stat))];
  for (const thread of await threadIds(pid)) {
    const threadStat = await readStat(pid, thread).catch(() => undefined);
    if (threadStat === undefined) continue;
    notes.push(encodeNote(NT_PRSTATUS, await threadDescription(pid, threadStat, machine)));
  }
  if (auxv.length > 0) notes.push(encodeNote(NT_AUXV, auxv));
  notes.push(encodeNote(NT_FILE, encodeFiles(mappings)));
  return Buffer.concat(notes);
}

function encodeNote(type: number, content: Uint8Array): Uint8Array {
  const name = "CORE\0";
  const contentAt = 12 + 8;
  const note = new Uint8Array(contentAt + Math.ceil(content.length / 4) * 4);
  const view = new DataView(note.buffer);
  view.setUint32(0, name.length, true);
  view.setUint32(4, content.length, true);
  view.setUint32(8, type, true);
  note.set(Buffer.from(name), 12);
  note.set(content, contentAt);
  return note;
}

async function processDescription(stat: ProcessStat): Promise<Uint8Array> {
  const folder = `/proc/${stat.pid}`;
  const status = await readFile(`${folder}/status`, "utf8").catch(() => "");
  const args = await readFile(`${folder}/cmdline`).catch(() => Buffer.alloc(0));
  const bytes = new Uint8Array(PRPSINFO_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, Math.max(0, STATES.indexOf(stat.state.toUpperCase())));
  view.setUint8(1, stat.state.charCodeAt(0));
  view.setInt8(3, stat.nice);
  view.setUint32(16, Number.parseInt(statusField(status, "Uid") ?? "0", 10), true);
  view.setUint32(20, Number.parseInt(statusField(status, "Gid") ?? "0", 10), true);
  setIdentity(view, 24, stat);
  bytes.set(Buffer.from(stat.name).subarray(0, 15), 40);
  const line = args.map((byte) => (byte === 0 ? 0x20 : byte));
  bytes.set(line.subarray(0, Math.min(79, Math.max(0, line.length - 1))), 56);
  return bytes;
}

function setIdentity(view: DataView, at: number, stat: ProcessStat): void {
  const { pid, parent, group, session } = stat;
  [pid, parent, group, session].forEach((id, i) => {
    view.setUint32(at + i * 4, id, true);
  });
}

async function threadDescription(
  pid: number,
  stat: ProcessStat,
  machine: Machine,
): Promise<Uint8Array> {
  const folder = `/proc/${pid}/task/${stat.pid}`;
  const status = await readFile(`${folder}/status`, "utf8").catch(() => "");
  const syscall = await readFile(`${folder}/syscall`, "utf8").catch(() => "");
  const bytes = new Uint8Array(REGISTERS_AT + machine.registerCount * 8 + 8);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(16, signalMask(status, "SigPnd"), true);
  view.setBigUint64(24, signalMask(status, "SigBlk"), true);
  setIdentity(view, 32, stat);
  stat.ticks.forEach((ticks, i) => {
    const microseconds = ticks * TICK_MICROSECONDS;
    view.setBigUint64(48 + i * 16, BigInt(Math.floor(microseconds / 1e6)), true);
    view.setBigUint64(56 + i * 16, BigInt(microseconds % 1e6), true);
  });
  for (const [register, value] of registersOf(syscall, machine)) {
    view.setBigUint64(REGISTERS_AT + register * 8, value, true);
  }
  return bytes;
}

function signalMask(status: string, key: string): bigint {
  return BigInt(`0x${statusField(status, key) ?? "0"}`);
}

/** `running`, or `number arg × 6 sp pc`, or `-1 sp pc` when the thread waits outside a call. */
export function registersOf(syscall: string, machine: Machine): [number, bigint][] {
  const words = syscall.trim().split(" ");
  if (words.length !== 9 && words.length !== 3) return [];
  const values = words.map((word) => BigInt.asUintN(64, BigInt(word)));
  const [stackPointer, programCounter] = values.slice(-2);
  const registers: [number, bigint][] = [
    [machine.syscall, values[0]],
    [machine.stackPointer, stackPointer],
    [machine.programCounter, programCounter],
  ];
  values.slice(1, -2).forEach((value, i) => {
    registers.push([machine.args[i], value]);
  });
  return registers;
}

function encodeFiles(mappings: readonly Mapping[]): Uint8Array {
  const files = mappings.filter((mapping) => mapping.inode !== 0n && mappingBytes(mapping) > 0);
  const names = Buffer.from(files.map((file) => `${file.name}\0`).join(""));
  const table = new BigUint64Array(2 + files.length * 3);
  table[0] = BigInt(files.length);
  table[1] = BigInt(PAGE_BYTES);
  files.forEach((file, i) => {
    table.set([file.start, file.end, file.fileOffset / BigInt(PAGE_BYTES)], 2 + i * 3);
  });
  return Buffer.concat([new Uint8Array(table.buffer), names]);
}
