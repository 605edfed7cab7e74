// npm run test:browser: tests of the report page in a real Chromium, apart because it must be
// installed.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/browser/**/*.test.ts"],
    testTimeout: 60_000,
    // Drawing is timed.
    fileParallelism: false,
  },
});
