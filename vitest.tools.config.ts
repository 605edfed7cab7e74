// npm run test:tools: tests with programs of others that read what `pagefold serve` gives, apart
// because they must be installed: curl, nbdcopy, nbdinfo, nbdfuse, qemu-img.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/tools/**/*.test.ts"],
    testTimeout: 60_000,
  },
});
