// Makes the images once for all tests of this folder, and removes them afterwards.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { makeImages } from "../../scripts/vm-images.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The folder of vm0-a.raw, vm1-a.raw, vm0-a.elf and vm0-b.raw. */
    images: string;
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), "pagefold-images-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    await makeImages(folder);
  } catch (error) {
    await remove();
    throw error;
  }
  project.provide("images", folder);
  return remove;
}
