import { secretsOf } from './secrets.ts';

/** Variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Without these no program runs, or it runs in another language. They are no input: they say where things are, not what they are. */
const always = ['PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'TMPDIR', 'TZ'] as const;

/** What a pure step's commands see: an undeclared variable is invisible, so that it cannot be an input that no key knows. */
export function pureEnvironment(env: Environment, declared: readonly string[]): Environment {
  return pick(env, [...always, ...declared]);
}

/** All but the run's secrets, which a step asks for by name. */
export function effectEnvironment(env: Environment, secrets: Readonly<Record<string, string>>): Environment {
  return pick(
    env,
    Object.keys(env).filter((name) => !Object.hasOwn(secrets, name)),
  );
}

/** For kubectl and Ansible. A login to a cluster may need any variable, so they see all but secrets that are Headgate's own. */
export function clusterEnvironment(env: Environment): Environment {
  const own = new Set(Object.keys(secretsOf(env)).filter((name) => name.startsWith('HEADGATE_')));
  return pick(
    env,
    Object.keys(env).filter((name) => !own.has(name)),
  );
}

function pick(env: Environment, names: readonly string[]): Environment {
  return Object.fromEntries(names.filter((name) => env[name] !== undefined).map((name) => [name, env[name]]));
}
