#!/usr/bin/env bash
# scripts/smoke.sh TARBALL [NODE]: installs the packed package in an empty folder, with the Node
# of that version from npm if one is named, and goes once through the command line and the library.
set -euo pipefail
tarball=$(realpath "$1")
node_version=${2:-}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

echo '{ "private": true }' > package.json
npm install --no-fund --no-audit "$tarball" ${node_version:+"node@$node_version"}
export PATH=$folder/node_modules/.bin:$PATH
echo "Node $(node --version), $(npx pagefold --version)"

head -c 9000001 "$(command -v node)" > vm0.raw
cp vm0.raw vm1.raw
truncate -s 12M vm1.raw
npx pagefold pack vm0.raw vm1.raw -o fleet.pfa
npx pagefold list fleet.pfa
npx pagefold verify fleet.pfa
npx pagefold unpack fleet.pfa -C unpacked
cmp vm0.raw unpacked/vm0.raw
cmp vm1.raw unpacked/vm1.raw
npx pagefold pack vm0.raw -o - | npx pagefold unpack - -C piped
cmp vm0.raw piped/vm0.raw
npx pagefold inspect vm0.raw vm1.raw --html report.html
grep -q '</html>' report.html

cat > library.mjs <<'END'
import { readFile } from "node:fs/promises";
import { openArchive, openEngine } from "pagefold";

const engine = await openEngine({ threads: 2 });
await engine.pack([{ name: "vm0", path: "vm0.raw" }], { path: "library.pfa" });
await engine.close();
const archive = await openArchive("library.pfa");
const pages = await archive.image("vm0").readPages(100, 16);
await archive.close();
const expected = (await readFile("vm0.raw")).subarray(100 * 4096, 116 * 4096);
if (!expected.equals(pages)) throw new Error("frames 100 to 115 came back wrong");
END
node library.mjs
echo "library: frames 100 to 115 came back right"
