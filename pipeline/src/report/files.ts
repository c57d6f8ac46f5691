import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { junitOf } from './junit.ts';
import { metricsOfRun } from './prometheus.ts';
import { type RunRecord, recordReporter } from './record.ts';
import type { Reporter } from './report.ts';

/** Raised when a reader of `run.json` would have to change. */
const schemaVersion = 1;

/** `out/run.json`, `out/metrics.prom` and `out/junit/<junit>.xml`. `out` is the absolute folder. */
export function filesReporter(out: string, junit = 'pipeline'): Reporter {
  return recordReporter((record) => {
    writeWhole(join(out, 'run.json'), `${JSON.stringify(runJson(record), undefined, 2)}\n`);
    writeWhole(join(out, 'metrics.prom'), metricsOfRun(record));
    writeWhole(join(out, 'junit', `${junit}.xml`), junitOf(record));
  });
}

function runJson(record: RunRecord): unknown {
  return { schemaVersion, ...record };
}

function writeWhole(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const part = `${path}.${process.pid}.part`;
  writeFileSync(part, text);
  renameSync(part, path);
}
