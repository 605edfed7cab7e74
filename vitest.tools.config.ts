// npm run test:tools: tests with programs of others that read what `pagefold serve` gives and what
// `unpack --as` writes, apart because they must be installed: curl, nbdcopy, nbdinfo, nbdfuse,
// qemu-img; gcore and gdb, readelf, perl.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/tools/**/*.test.ts"],
    testTimeout: 60_000,
  },
});
