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

function pick(env: Environment, names: readonly string[]): Environment {
  return Object.fromEntries(names.filter((name) => env[name] !== undefined).map((name) => [name, env[name]]));
}
