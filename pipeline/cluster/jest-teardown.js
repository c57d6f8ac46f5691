/** Who started the cluster ends it. `npm run cluster:up` beforehand keeps it from run to run. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export default function teardown() {
  if (!globalThis.headgateStartedCluster) return;
  execFileSync('bash', [fileURLToPath(new URL('./down.sh', import.meta.url)), '--keep-logs'], { stdio: 'inherit' });
}
