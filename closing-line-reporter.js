import { relative } from 'node:path';

/** Ends a test run with what was skipped, each by its name, and the one line that CI reads. */
export default class ClosingLineReporter {
  #config;

  constructor(config) {
    this.#config = config;
  }

  onRunComplete(_contexts, results) {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites; // A file that cannot load is a failure too.
    const skipped = results.numPendingTests + results.numTodoTests;
    process.stdout.write(`\n${this.#skipped(results).join('')}`);
    process.stdout.write(`${results.numPassedTests} passed, ${failed} failed, ${skipped} skipped\n`);
  }

  /** Not what a pattern on the command line leaves out. */
  #skipped({ testResults }) {
    const { rootDir, testNamePattern } = this.#config;
    if (testNamePattern) return [];
    const lines = testResults.flatMap(({ testFilePath, testResults: tests }) =>
      tests
        .filter(({ status }) => status === 'pending' || status === 'todo')
        .map(({ fullName }) => `skipped: ${relative(rootDir, testFilePath)}: ${fullName}\n`),
    );
    return lines.length === 0 ? [] : [...lines, '\n'];
  }
}
