// The read-only disk that guests with a workload share: Debian packages, unpacked and never
// configured, as an ext4 image. apt itself finds out what they depend on.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { cached } from "./build.ts";

const run = promisify(execFile);

/** What guests run; the rest of the disk is what these depend on, and what nginx serves. */
const PACKAGES = ["redis-server", "nginx-light", "python3", "busybox-static"];

/** Folders of packages that nobody in a guest reads. */
const LEFT_OUT = ["doc", "man", "locale", "info", "lintian", "bug"];

const SCRIPT = `
  out=$1; left_out=$2; shift 2
  # With an empty list of installed packages, everything that these depend on is downloaded too.
  mkdir -p archives/partial root
  : > status
  fetch() {
    apt-get -yqq -o "Dir::State::status=$PWD/status" -o "Dir::Cache::archives=$PWD/archives" \\
      -o APT::Get::List-Cleanup=0 --no-install-recommends --download-only install "$@"
  }
  fetch "$@" > log 2>&1 ||
    { apt-get update -qq && fetch "$@" > log 2>&1; } ||
    { cat log >&2; exit 1; }
  cd root
  # Debian's folders of today: packages may still name the old ones.
  mkdir -p usr/bin usr/sbin usr/lib usr/lib64 dev proc sys run tmp etc root var/log var/lib
  for folder in bin sbin lib lib64; do ln -s "usr/$folder" $folder; done
  for archive in ../archives/*.deb; do
    dpkg-deb --fsys-tarfile "$archive" | tar -x --keep-directory-symlink
  done
  for folder in $left_out; do rm -rf "usr/share/$folder"; done
  for applet in $(usr/bin/busybox --list); do
    [ -e usr/bin/$applet ] || [ -e usr/sbin/$applet ] || ln -s busybox usr/bin/$applet
  done
  echo "root:x:0:0:root:/root:/bin/sh" > etc/passwd
  echo "root:x:0:" > etc/group
  cd ..
  size=$(( $(du -sm root | cut -f 1) * 115 / 100 + 16 ))
  mke2fs -q -t ext4 -O ^has_journal -m 0 -E root_owner=0:0 -d root "$out" "$size"M`;

/** The path of the disk; made on first use, which takes some 40 MB of download. */
export async function diskPath(): Promise<string> {
  return cached("disk.ext4", async (folder, path) => {
    const words = ["-ec", SCRIPT, "sh", path, LEFT_OUT.join(" "), ...PACKAGES];
    await run("sh", words, { cwd: folder, env: { ...process.env, LC_ALL: "C" } });
  });
}
