/** Before the first test of the project `kube`: a cluster. One that runs is taken as it is, and left as it is. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const up = fileURLToPath(new URL('./up.sh', import.meta.url));

export default async function setup() {
  // Containers and network devices need root; without it there are the API server and its controllers.
  const args = process.getuid?.() === 0 ? ['--any', '--gateways', '2'] : ['--any', '--control-plane'];
  const said = await run('bash', [up, ...args]);
  const cluster = /HEADGATE_KUBE_CLUSTER=(\S+)/.exec(said)?.[1];
  if (cluster === undefined) throw new Error(`Cannot find the cluster in what up.sh said: ${said}`);
  process.env.HEADGATE_KUBE_CLUSTER = cluster;
  const lacks = lackingIn(JSON.parse(readFileSync(cluster, 'utf8')));
  if (lacks.length > 0)
    process.stderr.write(`kube: what needs ${lacks.join(' or ')} is skipped, as this cluster has none\n`);
  globalThis.headgateStartedCluster = said.includes('# started');
}

/** What tests ask for before they run; `taken` is a cluster that somebody lent. */
function lackingIn({ mode, registry, gateways }) {
  return [
    ...(mode === 'full' ? [] : ['a whole cluster of our own']),
    ...(registry === null ? ['a node and its registry'] : []),
    ...(gateways.length === 0 ? ['a gateway'] : []),
  ];
}

/** What it writes to stdout; the rest is for whoever waits. */
function run(command, args) {
  return new Promise((resolve, reject) => {
    let output = '';
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve(output) : reject(new Error(`${[command, ...args].join(' ')} ended with ${code}`)),
    );
  });
}
