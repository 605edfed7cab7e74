// Makes what a small guest boots from: Debian's cloud kernel, taken out of its package and never
// installed, and an initramfs of busybox and some files of this folder. It starts nothing.
import { execFile } from "node:child_process";
import { access, chmod, copyFile, cp, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The kernel is 26 MB of download: kept beside the other caches of the tools. */
const CACHE = fileURLToPath(new URL("../../node_modules/.cache/pagefold-vm/", import.meta.url));

/** The tools that are called, and the Debian package of each. */
const TOOLS = {
  "qemu-system-x86_64": "qemu-system-x86",
  busybox: "busybox-static",
  cpio: "cpio",
  mke2fs: "e2fsprogs",
  ip: "iproute2",
  tc: "iproute2",
};

/** What disks and networks of the machine type q35 need; the rest is built into cloud kernels. */
const MODULES = [
  "virtio_ring",
  "virtio",
  "virtio_pci_legacy_dev",
  "virtio_pci_modern_dev",
  "virtio_pci",
  "virtio_blk",
  "failover",
  "net_failover",
  "virtio_net",
];

/**
 * Installs what is missing with apt-get; fails with one clear line where that cannot be done.
 * `more` are other tools, or shared libraries, and their packages.
 */
export async function installTools(more: Readonly<Record<string, string>> = {}): Promise<void> {
  const missing = new Set<string>();
  for (const [tool, debianPackage] of Object.entries({ ...TOOLS, ...more })) {
    const isLibrary = tool.includes(".so.");
    const question = isLibrary ? `/sbin/ldconfig -p | grep -F ${tool}` : `command -v ${tool}`;
    const found = await run("sh", ["-c", question]).catch(() => undefined);
    if (found === undefined) missing.add(debianPackage);
  }
  if (missing.size === 0) return;
  if (process.getuid?.() !== 0)
    throw new Error(`install first, as root: ${[...missing].join(" ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  await run("apt-get", ["update", "-qq"], { env });
  await run("apt-get", ["install", "-yqq", "--no-install-recommends", ...missing], { env });
}

/**
 * The path of something in the cache; made on first use by `make`, which is given a folder of its
 * own and the path to write to.
 */
export async function cached(
  name: string,
  make: (folder: string, path: string) => Promise<void>,
): Promise<string> {
  const path = join(CACHE, name);
  const known = await access(path).then(
    () => true,
    () => false,
  );
  if (known) return path;
  await mkdir(CACHE, { recursive: true });
  const folder = await mkdtemp(join(CACHE, "new-"));
  try {
    // The user that apt downloads as must get in.
    await chmod(folder, 0o755);
    const unfinished = join(folder, "result");
    await make(folder, unfinished);
    await rename(unfinished, path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return path;
}

/** The folder that holds `vmlinuz` and the modules of it; downloaded on first use. */
async function kernelFolder(): Promise<string> {
  return cached("kernel-net", async (folder, path) => {
    const script = `
      name() {
        apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ { print $2; exit }'
      }
      kernel=$(name 2>/dev/null)
      [ -n "$kernel" ] || { apt-get update -qq; kernel=$(name); }
      apt-get download -qq "$kernel"
      dpkg-deb --fsys-tarfile ./*.deb | tar -x ./boot ./lib/modules
      out=$1; shift
      mkdir "$out"
      mv boot/vmlinuz-* "$out/vmlinuz"
      for module; do find lib/modules -name "$module.ko" -exec cp {} "$out" ";"; done`;
    await run("sh", ["-ec", script, "sh", path, ...MODULES], { cwd: folder });
  });
}

export async function kernelPath(): Promise<string> {
  return join(await kernelFolder(), "vmlinuz");
}

/** Writes the initramfs of a guest that is all in memory: busybox, and the guest's `init`. */
export async function writeInitramfs(path: string): Promise<void> {
  await packInitramfs(path, async (root) => {
    await copyScript("init", join(root, "init"));
  });
}

/** Writes the initramfs of a guest that goes on from a disk: with drivers and the workload. */
export async function writeWorkloadInitramfs(path: string): Promise<void> {
  const kernel = await kernelFolder();
  await packInitramfs(path, async (root) => {
    await mkdir(join(root, "disk"));
    await cp(kernel, join(root, "modules"), {
      recursive: true,
      filter: (source) => basename(source) !== "vmlinuz",
    });
    await copyScript("workload-init", join(root, "init"));
    await copyScript("workload-start", join(root, "workload-start"));
    await copyScript("workload.py", join(root, "workload.py"));
  });
}

async function copyScript(name: string, path: string): Promise<void> {
  await copyFile(new URL(name, import.meta.url), path);
  await chmod(path, 0o755);
}

async function packInitramfs(path: string, fill: (root: string) => Promise<void>): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "pagefold-initramfs-"));
  try {
    await mkdir(join(root, "bin"));
    await mkdir(join(root, "dev"));
    const { stdout } = await run("sh", ["-c", "command -v busybox"]);
    await copyFile(stdout.trim(), join(root, "bin/busybox"));
    await run("ln", ["-s", "busybox", join(root, "bin/sh")]);
    await fill(root);
    const script = `find . | sort | cpio -o -H newc --quiet | gzip -1n > "$1"`;
    await run("sh", ["-ec", script, "sh", path], { cwd: root });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
