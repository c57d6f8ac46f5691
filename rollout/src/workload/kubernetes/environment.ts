/** What a service of a lane gets as variables, as the cluster has it: what its Deployment says, and the ConfigMaps that this names. */
import type { Lane } from '../../lane.ts';
import type { KubeClient, KubeObject } from '../../platform/kubernetes/client.ts';
import { kinds } from '../../platform/kubernetes/kinds.ts';
import { laneObjectName } from '../../platform/kubernetes/lane-names.ts';
import { missing } from '../kubernetes.ts';
import type { Deployment } from './objects.ts';

/** `unread`: the process has it, and we do not; `why` goes on after "it is". */
export type Variable =
  | { readonly kind: 'value'; readonly value: string }
  | { readonly kind: 'unread'; readonly why: string };

/** `unnamed`: where more of them come from, of which not even the names are known. */
export type LaneEnvironment = {
  readonly variables: Readonly<Record<string, Variable>>;
  readonly unnamed: readonly string[];
};

/** Needs the rights of a viewer, who reads no Secret. @throws {HeadgateError} `WORKLOAD_UNREACHABLE` without such a Deployment */
export async function readLaneEnvironment(
  client: KubeClient,
  { app, lane, service }: { readonly app: string; readonly lane: Lane; readonly service: string },
  signal: AbortSignal,
): Promise<LaneEnvironment> {
  const name = laneObjectName(app, lane, service);
  const deployment = await client.get<Deployment>(kinds.Deployment, name, signal);
  if (deployment === undefined) throw missing(name, 'it is not there');
  // The service's own stands first, and is as the API has it.
  const container = (deployment.spec.template.spec?.containers?.[0] ?? {}) as Container;
  const read = configMapsOf(container).map(async (each): Promise<[string, Data | undefined]> => {
    const there = await client.get<KubeObject & { readonly data?: Data }>(kinds.ConfigMap, each, signal);
    return [each, there && (there.data ?? {})];
  });
  return environmentIn(container, new Map(await Promise.all(read)));
}

type Data = Readonly<Record<string, string>>;
type Reference = { readonly name: string; readonly optional?: boolean };
type KeyReference = Reference & { readonly key: string };

type EnvVar = {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly configMapKeyRef?: KeyReference;
    readonly secretKeyRef?: KeyReference;
    readonly fieldRef?: { readonly fieldPath: string };
    readonly resourceFieldRef?: { readonly resource: string };
  };
};

/** What the API has of a container's environment. */
export type Container = {
  readonly envFrom?: readonly {
    readonly prefix?: string;
    readonly configMapRef?: Reference;
    readonly secretRef?: Reference;
  }[];
  readonly env?: readonly EnvVar[];
};

function configMapsOf({ envFrom = [], env = [] }: Container): readonly string[] {
  const refs = [
    ...envFrom.map(({ configMapRef }) => configMapRef),
    ...env.map(({ valueFrom }) => valueFrom?.configMapKeyRef),
  ];
  return [...new Set(refs.flatMap((ref) => (ref === undefined ? [] : [ref.name])))];
}

/** As the kubelet does it: whole sources first, the later over the earlier; then one by one, which may name what stands before them. */
export function environmentIn(
  { envFrom = [], env = [] }: Container,
  configMaps: ReadonlyMap<string, Data | undefined>,
): LaneEnvironment {
  const variables = new Map<string, Variable>();
  const unnamed: string[] = [];
  for (const { prefix = '', configMapRef, secretRef } of envFrom) {
    if (secretRef !== undefined) unnamed.push(`all keys of Secret ${secretRef.name}, which is not read`);
    if (configMapRef === undefined) continue;
    const data = configMaps.get(configMapRef.name);
    if (data === undefined && configMapRef.optional !== true) {
      unnamed.push(`all keys of ConfigMap ${configMapRef.name}, which is not there: no new pod starts`);
    }
    for (const [key, value] of Object.entries(data ?? {})) variables.set(`${prefix}${key}`, { kind: 'value', value });
  }
  for (const one of env) {
    const variable = variableOf(one, variables, configMaps);
    if (variable !== undefined) variables.set(one.name, variable);
  }
  return { variables: Object.fromEntries(variables), unnamed };
}

/** `undefined`: it is not set. */
function variableOf(
  { value, valueFrom }: EnvVar,
  before: ReadonlyMap<string, Variable>,
  configMaps: ReadonlyMap<string, Data | undefined>,
): Variable | undefined {
  if (valueFrom === undefined) return expanded(value ?? '', before);
  const { configMapKeyRef, secretKeyRef, fieldRef, resourceFieldRef } = valueFrom;
  if (configMapKeyRef !== undefined) return ofConfigMap(configMapKeyRef, configMaps.get(configMapKeyRef.name));
  if (secretKeyRef !== undefined)
    return unread(`key ${secretKeyRef.key} of Secret ${secretKeyRef.name}, which is not read`);
  if (fieldRef !== undefined) return unread(`${fieldRef.fieldPath} of each pod`);
  if (resourceFieldRef !== undefined) return unread(`${resourceFieldRef.resource} of each container`);
  return unread(`of a kind that is not known here: ${Object.keys(valueFrom).join(', ')}`);
}

function ofConfigMap({ name, key, optional }: KeyReference, data: Data | undefined): Variable | undefined {
  const value = data?.[key];
  if (value !== undefined) return { kind: 'value', value };
  return optional === true
    ? undefined
    : unread(`key ${key} of ConfigMap ${name}, which is not there: no new pod starts`);
}

/** `$(NAME)` is the variable of that name, if it stands before; `$$` is a dollar. */
function expanded(text: string, before: ReadonlyMap<string, Variable>): Variable {
  const names = [...text.matchAll(reference)].map(([, name = '']) => name);
  const hidden = names.find((name) => before.get(name)?.kind === 'unread');
  if (hidden !== undefined) return unread(`made of ${hidden}`);
  const value = text.replace(reference, (written, name: string | undefined) => {
    if (name === undefined) return '$';
    const found = before.get(name);
    return found?.kind === 'value' ? found.value : written;
  });
  return { kind: 'value', value };
}

const reference = /\$\$|\$\(([^)]*)\)/g;

function unread(why: string): Variable {
  return { kind: 'unread', why };
}
