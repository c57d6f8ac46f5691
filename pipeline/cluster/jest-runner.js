/** Tests on the cluster: contracts of adapters two at a time, then, one after another, what ends programs of the cluster or goes by the clock. */
import Runner from 'jest-runner';

const alone = ['/controller/', '/cli/', '/deploy/', '/platform/'];

export default class KubeRunner extends Runner {
  async runTests(tests, watcher, options) {
    const isAlone = ({ path }) => alone.some((folder) => path.includes(folder));
    const others = tests.filter((test) => !isAlone(test));
    await super.runTests(others, watcher, { ...options, serial: others.length < 2 });
    await super.runTests(tests.filter(isAlone), watcher, { ...options, serial: true });
  }
}
