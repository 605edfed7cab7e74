// A QEMU of version 10 or later without installing one: the packages of Debian's backports,
// unpacked into the cache. Older ones migrate emulated guests wrongly, and count and compress
// differently.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { cached } from "./build.ts";

const run = promisify(execFile);
export const INSTALLED_QEMU = "qemu-system-x86_64";
const WANTED_VERSION = 10;

const SCRIPT = `
  out=$1
  . /etc/os-release
  suite=$VERSION_CODENAME-backports
  mkdir -p lists/partial "$out"
  uri=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
    awk -v suite="$VERSION_CODENAME" '$2 == suite { print $1; exit }')
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main" > sources
  set -- -qq -o "Dir::Etc::sourcelist=$PWD/sources" -o Dir::Etc::sourceparts=- \\
    -o "Dir::State::lists=$PWD/lists"
  apt-get "$@" update
  apt-get "$@" download qemu-system-x86/$suite qemu-system-common/$suite qemu-system-data/$suite
  for archive in *.deb; do dpkg-deb -x "$archive" "$out"; done
  cat > "$out/qemu" <<'END'
#!/bin/sh
root=$(dirname "$0")/usr
exec "$root/bin/qemu-system-x86_64" -L "$root/share/qemu" -L "$root/share/seabios" "$@"
END
  chmod +x "$out/qemu"
  "$out/qemu" --version`;

export interface Qemu {
  program: string;
  version: string;
  /** Why it is not the one that was wanted. */
  complaint?: string;
}

/** The installed QEMU if that is new enough, else the one from the backports, else the former. */
export async function newQemu(): Promise<Qemu> {
  const installed = { program: INSTALLED_QEMU, version: await versionOf(INSTALLED_QEMU) };
  if (majorOf(installed.version) >= WANTED_VERSION) return installed;
  try {
    const folder = await cached("qemu10", async (cwd, path) => {
      await run("sh", ["-ec", SCRIPT, "sh", path], { cwd });
    });
    const program = join(folder, "qemu");
    return { program, version: await versionOf(program) };
  } catch (error) {
    const reason = error instanceof Error ? error.message.trim().split("\n").at(-1) : error;
    const complaint = `no QEMU ${WANTED_VERSION} from the backports (${reason})`;
    return { ...installed, complaint: `${complaint}: measuring ${installed.version}` };
  }
}

/** "10.0.2" of "QEMU emulator version 10.0.2 (Debian …)". */
export async function versionOf(program: string): Promise<string> {
  const { stdout } = await run(program, ["--version"]);
  const [, version] = /version (\d+\.\d+[.\d]*)/.exec(stdout) ?? [];
  if (version === undefined) throw new Error(`${program} --version says: ${stdout.trim()}`);
  return version;
}

export function majorOf(version: string): number {
  return Number.parseInt(version, 10);
}
