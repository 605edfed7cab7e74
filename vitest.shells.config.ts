// npm run test:shells: tests in zsh and fish and with the readers of manual pages, apart because
// they must be installed.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/shells/**/*.test.ts"],
    testTimeout: 180_000,
  },
});
