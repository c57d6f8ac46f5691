/**
 * What must hold on real servers and takes too long for `npm test`. `npm run acceptance -- [part …] [--runs n]`; by default all parts but
 * those that need a cluster (`npm run cluster:up`).
 */
import { parseArgs } from 'node:util';
import { badVersions } from './bad-versions.ts';
import { blueGreen } from './blue-green.ts';
import { deliverAgain } from './deliver-again.ts';
import { interruptedDemo } from './interrupted-demo.ts';
import { interruptedTests } from './interrupted-tests.ts';
import { judgeParts } from './judge.ts';
import { killedDriver } from './killed-driver.ts';
import { killedRun } from './killed-run.ts';
import { kubernetes } from './kubernetes.ts';
import { Report } from './report.ts';
import { split } from './split.ts';
import { tenReleases } from './ten-releases.ts';
import { twoTerminals } from './two-terminals.ts';

const parts = {
  split,
  'two-terminals': twoTerminals,
  'ten-releases': tenReleases,
  'blue-green': blueGreen,
  'killed-driver': killedDriver,
  'killed-run': killedRun,
  'deliver-again': deliverAgain,
  'interrupted-demo': interruptedDemo,
  'interrupted-tests': interruptedTests,
  'bad-versions': badVersions,
  ...judgeParts,
  kubernetes,
} as const satisfies Record<string, (report: Report, runs: number) => Promise<void>>;

const needCluster: readonly string[] = ['kubernetes'];

const { values, positionals } = parseArgs({
  options: { runs: { type: 'string', default: '10' } },
  allowPositionals: true,
});
const report = new Report();
for (const [name, part] of Object.entries(parts)) {
  if (positionals.length === 0 ? needCluster.includes(name) : !positionals.includes(name)) continue;
  process.stdout.write(`\n${name}\n`);
  const begun = performance.now();
  try {
    await part(report, Number(values.runs));
  } catch (error) {
    report.check(
      `${name} came to its end`,
      false,
      error instanceof Error ? (error.stack ?? error.message) : String(error),
    );
  }
  report.say(`took ${Math.round((performance.now() - begun) / 1_000)} s`);
}
process.exit(report.close());
