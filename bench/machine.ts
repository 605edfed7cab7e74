// What a number was measured on.
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";

export interface Machine {
  cpu: string;
  /** Processors that this process may use. */
  cores: number;
  memoryMiB: number;
  kernel: string;
  node: string;
  v8: string;
  /** Load of the last minute when the bench began: above 0.5 or so, somebody else was working. */
  load: number;
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? process.arch,
    cores: availableParallelism(),
    memoryMiB: Math.round(totalmem() / 1048576),
    kernel: release(),
    node: process.versions.node,
    v8: process.versions.v8,
    load: Number(loadavg()[0].toFixed(2)),
  };
}

export function machineLine(machine: Machine): string {
  const { cpu, cores, memoryMiB, kernel, node, load } = machine;
  return `${cpu}, ${cores} cores, ${memoryMiB} MiB, Linux ${kernel}, Node ${node}, load ${load}`;
}
