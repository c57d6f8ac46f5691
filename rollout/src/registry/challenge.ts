/** What a registry asks for when it answers 401 (RFC 9110, section 11; distribution-spec, "Token authentication"). */
export type Challenge =
  | { readonly kind: 'basic' }
  /** A token of `realm`, for what the registry calls itself. */
  | { readonly kind: 'bearer'; readonly realm: string; readonly service: string | undefined };

/** `header` is `WWW-Authenticate`. `undefined` for one that names neither way. A token is taken before a password where both will do. */
export function parseChallenge(header: string): Challenge | undefined {
  const schemes = [...header.matchAll(/(?:^|,)\s*(basic|bearer)(?=[\s,]|$)/gi)].map(
    ({ 0: all, 1: name = '', index }) => ({
      name: name.toLowerCase(),
      rest: header.slice(index + all.length).split(/,\s*(?:basic|bearer)\s/i, 1)[0] ?? '',
    }),
  );
  const bearer = schemes.find(({ name }) => name === 'bearer');
  const { realm, service } = parametersOf(bearer?.rest ?? '');
  if (realm !== undefined) return { kind: 'bearer', realm, service };
  return schemes.some(({ name }) => name === 'basic') ? { kind: 'basic' } : undefined;
}

function parametersOf(text: string): Readonly<Record<'realm' | 'service', string | undefined>> {
  const found = [...text.matchAll(/([a-z_]+)\s*=\s*(?:"([^"]*)"|([^\s",]+))/gi)].map(
    ([, name = '', quoted, bare]) => [name.toLowerCase(), quoted ?? bare] as const,
  );
  const by = new Map(found);
  return { realm: by.get('realm'), service: by.get('service') };
}
