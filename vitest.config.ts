import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/{vm,zstd,tools,browser,shells,redis}/**"],
    // Without a word it leaves a processor idle: of two, half of the machine.
    maxWorkers: "100%",
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
