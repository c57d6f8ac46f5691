import type { Rule } from '../platform/kubernetes/roles.ts';

/** What is needed and not held, as `patch httproutes ratings`. `*` in a rule stands for all. */
export function uncovered(needed: readonly Rule[], held: readonly Rule[]): readonly string[] {
  const has = (list: readonly string[] | undefined, one: string) =>
    list?.includes(one) === true || list?.includes('*') === true;
  const lacks = needed.flatMap(({ apiGroups, resources, verbs, resourceNames = [undefined] }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        verbs.flatMap((verb) =>
          resourceNames
            .filter(
              (name) =>
                !held.some(
                  (rule) =>
                    has(rule.apiGroups, group) &&
                    has(rule.resources, resource) &&
                    has(rule.verbs, verb) &&
                    ((rule.resourceNames ?? []).length === 0 || (name !== undefined && has(rule.resourceNames, name))),
                ),
            )
            .map((name) => `${verb} ${resource}${name === undefined ? '' : ` ${name}`}`),
        ),
      ),
    ),
  );
  return [...new Set(lacks)];
}
