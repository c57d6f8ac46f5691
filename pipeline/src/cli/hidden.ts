import { secretsOf } from '../run/secrets.ts';

type Variables = Readonly<Record<string, string>>;

/** Variables of a service that are not for a screen: those named like secrets, and addresses with a password. */
export function hiddenIn(env: Variables): Variables {
  const addresses = Object.entries(env).filter(([, value]) => /:\/\/[^/\s@]*:[^/\s@]+@/.test(value));
  return { ...secretsOf(env), ...Object.fromEntries(addresses) };
}
