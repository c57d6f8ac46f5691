import type { Environment } from './environment.ts';

/** What such variables hold is a secret wherever people follow the custom. */
const custom =
  /(TOKEN|PASSWORD|PASSWD|SECRET)$|(^|_)(SECRETS|PRIVATE_KEY|API_KEY|ACCESS_KEY|SIGNING_KEY|CACHE_KEY|CREDENTIALS|WEBHOOK)$/;
/** Of a key that is named no further some are no secrets: public ones, and short words, e.g. a column's name. */
const someKey = /(?<!(^|_)(PUBLIC|VERIFY))(^|_)KEY$/;
const keyMinChars = 16;
/** By custom alone a short value is a flag or a number, and hiding it would hide half of the log. */
const valueMinChars = 8;

/**
 * Variables that no text may show and no command gets unasked: those that `HEADGATE_SECRETS` names (with commas between), and
 * those whose names say so, e.g. `NPM_TOKEN`.
 */
export function secretsOf(env: Environment): Readonly<Record<string, string>> {
  const named = new Set((env['HEADGATE_SECRETS'] ?? '').split(',').map((name) => name.trim()));
  const isSecret = (name: string, value: string) =>
    named.has(name) ||
    (name !== 'HEADGATE_SECRETS' && custom.test(name) && value.length >= valueMinChars) ||
    (someKey.test(name) && value.length >= keyMinChars);
  return Object.fromEntries(
    Object.entries(env).filter((one): one is [string, string] => {
      const [name, value] = one;
      return value !== undefined && value !== '' && isSecret(name, value);
    }),
  );
}
