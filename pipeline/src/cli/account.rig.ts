/** Users of the test cluster that hold roles of an app and nothing else. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A namespace, and an administrator's hands on it. */
type Ground = {
  readonly namespace: string;
  kubectl(args: readonly string[], input?: string): Promise<string>;
};

/** A role and the namespace that it is of. */
export type Held = { readonly namespace: string; readonly role: string };

const gateway = 'gateway';

/** What a driver of the app holds: its role near the app, and the one to ask the gateway's replicas. */
export function driverRoles(app: string, namespaces: readonly string[]): readonly Held[] {
  return [
    ...namespaces.map((namespace) => ({ namespace, role: `headgate-${app}-driver` })),
    { namespace: gateway, role: `headgate-${app}-gateway` },
  ];
}

/** What whoever bootstraps the app holds. */
export function bootstrapRoles(app: string, namespace: string): readonly Held[] {
  return [
    { namespace, role: `headgate-${app}-bootstrap` },
    { namespace: gateway, role: `headgate-${app}-gateway-bootstrap` },
  ];
}

/** @returns variables with which a command is a ServiceAccount that holds these roles and nothing else, on a machine outside of the cluster's networks */
export async function variablesOf(
  { kubectl, namespace }: Ground,
  account: string,
  { folder, roles }: { readonly folder: string; readonly roles: readonly Held[] },
): Promise<NodeJS.ProcessEnv> {
  await kubectl(['create', 'serviceaccount', account]);
  for (const { namespace: where, role } of roles) {
    const whose = [`--role=${role}`, `--serviceaccount=${namespace}:${account}`];
    await kubectl(['create', 'rolebinding', bindingOf(account, namespace), '--namespace', where, ...whose]);
  }
  const token = (await kubectl(['create', 'token', account, '--duration=4h'])).trim();
  const config = JSON.parse(await kubectl(['config', 'view', '--raw', '--output=json']));
  const file = join(folder, `${account}.kubeconfig`);
  const users = config.users.map(({ name }: { readonly name: string }) => ({ name, user: { token } }));
  await writeFile(file, JSON.stringify({ ...config, users }), { mode: 0o600 });
  const { HEADGATE_POD_NETWORK: _, ...outside } = process.env;
  return { ...outside, HEADGATE_KUBECONFIG: file };
}

/** In the gateway's namespace those of all acceptance runs meet. */
export async function forget({ kubectl, namespace }: Ground, ...accounts: readonly string[]): Promise<void> {
  const names = accounts.map((account) => bindingOf(account, namespace));
  await kubectl(['delete', '--namespace', gateway, 'rolebinding', ...names, '--ignore-not-found']);
}

function bindingOf(account: string, namespace: string): string {
  return `headgate-ratings-${account}-${namespace}`;
}
