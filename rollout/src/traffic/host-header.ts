/** By which a request meets a rule for this host: of a wildcard one that it covers; without a host any request does. */
export function hostHeader(host: string | undefined): Readonly<Record<string, string>> {
  return host === undefined ? {} : { host: host.replace('*', 'headgate') };
}
