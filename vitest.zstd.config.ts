// npm run test:zstd: tests against the `zstd` command, apart because it must be installed.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/zstd/**/*.test.ts"],
    testTimeout: 120_000,
  },
});
