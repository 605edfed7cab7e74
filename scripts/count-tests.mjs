// node scripts/count-tests.mjs FILE prints "PASSED FAILED", counted from a report of vitest's JSON
// reporter. A file of tests that could not even be loaded counts as one failure.
import { readFileSync } from "node:fs";

const report = JSON.parse(readFileSync(process.argv[2], "utf8"));
const broken = report.testResults.filter(
  (/** @type {{ status: string, assertionResults: unknown[] }} */ file) =>
    file.status === "failed" && file.assertionResults.length === 0,
);
console.log(report.numPassedTests, report.numFailedTests + broken.length);
