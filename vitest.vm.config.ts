// npm run test:vm: tests on the memory of real virtual machines, apart because they boot some.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/vm/**/*.test.ts"],
    globalSetup: "test/vm/boot.ts",
    testTimeout: 180_000,
    // Booting a gang is part of it.
    hookTimeout: 300_000,
    fileParallelism: false,
  },
});
