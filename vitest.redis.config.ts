// npm run test:redis: tests with Redis servers that they start, apart because redis-server must be
// installed.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/redis/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
