// Makes what a small guest boots from: Debian's cloud kernel, taken out of its package and never
// installed, and an initramfs of busybox and `init`. It starts nothing.
import { execFile } from "node:child_process";
import { access, chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The kernel is 26 MB of download: kept beside the other caches of the tools. */
const CACHE = fileURLToPath(new URL("../../node_modules/.cache/pagefold-vm/", import.meta.url));

/** The tools that are called, and the Debian package of each. */
const TOOLS = { "qemu-system-x86_64": "qemu-system-x86", busybox: "busybox-static", cpio: "cpio" };

/** Installs what is missing with apt-get; fails with one clear line where that cannot be done. */
export async function installTools() {
  const missing = [];
  for (const [tool, debianPackage] of Object.entries(TOOLS)) {
    const found = await run("sh", ["-c", `command -v ${tool}`]).catch(() => undefined);
    if (found === undefined) missing.push(debianPackage);
  }
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0) throw new Error(`install first, as root: ${missing.join(" ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  await run("apt-get", ["update", "-qq"], { env });
  await run("apt-get", ["install", "-yqq", "--no-install-recommends", ...missing], { env });
}

/**
 * The path of the kernel; downloaded on first use.
 * @returns {Promise<string>}
 */
export async function kernelPath() {
  const path = join(CACHE, "vmlinuz");
  const known = await access(path).then(
    () => true,
    () => false,
  );
  if (known) return path;
  await mkdir(CACHE, { recursive: true });
  const folder = await mkdtemp(join(tmpdir(), "pagefold-kernel-"));
  try {
    await chmod(folder, 0o755);
    const script = `
      name() {
        apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ { print $2; exit }'
      }
      kernel=$(name 2>/dev/null)
      [ -n "$kernel" ] || { apt-get update -qq; kernel=$(name); }
      apt-get download -qq "$kernel" && dpkg-deb --fsys-tarfile ./*.deb | tar -x ./boot`;
    await run("sh", ["-ec", script], { cwd: folder });
    const names = await readdir(join(folder, "boot"));
    const kernel = names.find((name) => name.startsWith("vmlinuz-"));
    if (kernel === undefined) throw new Error(`no vmlinuz in the kernel package: ${names}`);
    await copyFile(join(folder, "boot", kernel), `${path}.new`);
    await rename(`${path}.new`, path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return path;
}

/**
 * Writes the initramfs: busybox, and the guest's `init`.
 * @param {string} path
 */
export async function writeInitramfs(path) {
  const root = await mkdtemp(join(tmpdir(), "pagefold-initramfs-"));
  try {
    await mkdir(join(root, "bin"));
    await mkdir(join(root, "dev"));
    const { stdout } = await run("sh", ["-c", "command -v busybox"]);
    await copyFile(stdout.trim(), join(root, "bin/busybox"));
    await run("ln", ["-s", "busybox", join(root, "bin/sh")]);
    await copyFile(new URL("init", import.meta.url), join(root, "init"));
    await chmod(join(root, "init"), 0o755);
    const script = `find . | sort | cpio -o -H newc --quiet | gzip -1n > "$1"`;
    await run("sh", ["-ec", script, "sh", path], { cwd: root });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
