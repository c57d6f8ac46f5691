/** Where a registry answers, by the name that it has in images. */

/** As people write it -> as it is asked. */
const aliases: Readonly<Record<string, string>> = {
  'docker.io': 'registry-1.docker.io',
  'index.docker.io': 'registry-1.docker.io',
};

/**
 * `host` is `host[:port]`. Loopback hosts, and those that `HEADGATE_PLAIN_REGISTRIES` names (`host:port`, by commas), speak http, all others
 * https.
 */
export function originOf(host: string, env: Readonly<Record<string, string | undefined>>): string {
  const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(host);
  const plain = (env['HEADGATE_PLAIN_REGISTRIES'] ?? '').split(',').some((one) => one.trim() === host);
  return `${loopback || plain ? 'http' : 'https'}://${aliases[host] ?? host}`;
}

/** `docker.io/node` is short for `docker.io/library/node`, there alone. */
export function pathOf(host: string, name: string): string {
  return Object.hasOwn(aliases, host) && !name.includes('/') ? `library/${name}` : name;
}
