// Feeding a QEMU that waits, and the files of RAM that it wants to find.
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { CaptureIntake } from "../../src/replication/captureintake.ts";
import { encodeDeviceState } from "../../src/replication/devicestate.ts";
import { resumeFiles, resumeInto, writeRamFile } from "../../src/replication/resume.ts";
import { MemorySink } from "../support/capturesink.ts";
import { captureStream } from "../support/capturestreams.ts";
import { temporaryFolder } from "../support/folder.ts";
import { seededRandom } from "../support/random.ts";

/** Takes a stream as QEMU does, or gives up after so many bytes. */
function incoming(path: string, limit = Number.POSITIVE_INFINITY): Buffer[] {
  const taken: Buffer[] = [];
  let length = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (piece) => {
      taken.push(piece);
      length += piece.length;
      if (length > limit) socket.destroy();
    });
    socket.on("end", () => socket.end());
  }).listen(path);
  onTestFinished(() => void server.close());
  return taken;
}

async function* pieces(count: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) yield new Uint8Array(100_000).fill(i);
}

describe("a guest that is resumed", () => {
  it("comes to QEMU as it is", async () => {
    const path = join(temporaryFolder(), "in");
    const taken = incoming(path);
    await resumeInto(path, pieces(30));
    const all = Buffer.concat(taken);
    expect(all.length).toBe(3_000_000);
    expect(all[2_999_999]).toBe(29);
  });

  it("fails in one line when QEMU does not take it, or is not there", async () => {
    const path = join(temporaryFolder(), "in");
    await expect(resumeInto(path, pieces(1))).rejects.toMatchObject({ code: "CONNECTION" });
    incoming(path, 500_000);
    await expect(resumeInto(path, pieces(300))).rejects.toThrow(`QEMU did not take the guest`);
  });

  it("fails with what its memory fails with, and on abort", async () => {
    const path = join(temporaryFolder(), "in");
    incoming(path);
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(10);
      throw new Error("the disk is gone");
    }
    await expect(resumeInto(path, broken())).rejects.toThrow("the disk is gone");
    const aborter = new AbortController();
    async function* aborted(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(10);
      aborter.abort(new Error("enough"));
      yield new Uint8Array(10);
    }
    await expect(resumeInto(path, aborted(), aborter.signal)).rejects.toThrow("enough");
  });
});

describe("files of RAM", () => {
  async function captured() {
    const { stream } = captureStream(seededRandom(1), ["pc.ram"]);
    const sink = new MemorySink();
    const intake = new CaptureIntake("web", { qemuVersion: "7.2.22" }, sink);
    await intake.write(stream);
    const { identity, head, tail } = intake.end();
    const sharedBlocks = [{ block: 0, path: "/dev/shm/web" }];
    const state = encodeDeviceState({ kind: "shared", head, tail, sharedBlocks });
    sink.bytes.set(seededRandom(2).bytes(300 * 4096));
    sink.bytes.fill(0, 10 * 4096, 290 * 4096);
    return { sink, files: resumeFiles(identity, state) };
  }

  it("are those that the guest had", async () => {
    const { files } = await captured();
    expect(files).toEqual([
      { name: "pc.ram", path: "/dev/shm/web", byteLength: 300 * 4096, firstFrame: 0 },
    ]);
  });

  it("are written with holes, for their owner only", async () => {
    const { sink, files } = await captured();
    const path = join(temporaryFolder(), "ram");
    await writeRamFile({ ...files[0], path }, sink);
    expect(readFileSync(path).equals(sink.block("pc.ram"))).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(path).blocks * 512).toBeLessThan(100 * 4096);
  });

  it("keep their place where a QEMU may have them, whatever they held", async () => {
    const { sink, files } = await captured();
    for (const byteLength of [300 * 4096, 5000]) {
      const path = join(temporaryFolder(), "ram");
      writeFileSync(path, new Uint8Array(byteLength).fill(9));
      const { ino } = statSync(path);
      await writeRamFile({ ...files[0], path }, sink);
      expect(readFileSync(path).equals(sink.block("pc.ram"))).toBe(true);
      expect(statSync(path).ino).toBe(ino);
    }
  });

  it("say where they cannot be written", async () => {
    const { sink, files } = await captured();
    const written = writeRamFile({ ...files[0], path: "/nowhere/ram" }, sink);
    await expect(written).rejects.toThrow("/nowhere/ram: no such file or directory");
  });
});
