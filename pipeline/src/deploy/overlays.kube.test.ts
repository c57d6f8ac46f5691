import { join } from 'node:path';
import type { KubeObject } from '@headgate/rollout';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { kubectlEnv, repository } from '../cli/cluster.rig.ts';
import { renderManifests } from './manifests.ts';

const overlays = ['dev', 'staging', 'prod'] as const;
const rooms = [
  { room: 'services/proxy', service: 'proxy' },
  { room: 'services/rating', service: 'rating' },
  { room: 'rollout', service: 'controller' },
] as const;

const bounds = { dev: undefined, staging: [2, 4], prod: [3, 10] } as const;

describe.each(rooms.flatMap((each) => overlays.map((overlay) => ({ ...each, overlay }))))(
  '$room, overlay $overlay',
  ({ room, service, overlay }) => {
    let objects: readonly KubeObject[];
    const isLane = service !== 'controller';
    const nameOf = isLane ? `ratings-$(LANE)-${service}` : 'headgate-controller';
    const one = (kind: string) => {
      const found = objects.filter((object) => object.kind === kind);
      expect([kind, found.map(({ metadata }) => metadata.name)]).toEqual([kind, [nameOf]]);
      return found[0] as KubeObject & { readonly spec: Manifest }; // All of the kinds asked for have one.
    };
    const template = () => one('Deployment').spec['template'] as { metadata: { labels: Labels }; spec: Manifest };

    beforeAll(async () => {
      const folder = `${room}/deploy/overlays/${overlay}`;
      const signal = AbortSignal.timeout(20_000);
      objects = (await renderManifests({ service, folder }, { root: join(repository), env: kubectlEnv }, signal))
        .objects;
    });

    test('the process is nobody in particular, writes nothing of its image, may nothing and has limits', () => {
      const { spec } = template();
      expect(spec).toMatchObject({
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 1000,
          runAsGroup: 1000,
          seccompProfile: { type: 'RuntimeDefault' },
        },
        ...(isLane ? { automountServiceAccountToken: false } : { serviceAccountName: nameOf }),
      });
      const containers = spec['containers'] as readonly Manifest[];
      expect(containers).toHaveLength(1);
      expect(spec['initContainers']).toBeUndefined();
      expect(containers[0]).toMatchObject({
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        resources: {
          requests: { cpu: expect.stringMatching(/^\d+m$/), memory: expect.stringMatching(/^\d+Mi$/) },
          limits: { memory: expect.stringMatching(/^\d+Mi$/) },
        },
      });
      expect(containers[0]?.['securityContext']).not.toHaveProperty('privileged');
      expect(JSON.stringify(spec)).not.toMatch(/hostPath|hostNetwork|hostPID|hostIPC|hostPort/);
    });

    test('whether it has started, is ready and lives is asked at its admin port', () => {
      const [container] = template().spec['containers'] as readonly Manifest[];
      expect(container).toMatchObject({
        ports: expect.arrayContaining([expect.objectContaining({ name: 'admin', containerPort: 9090 })]),
        startupProbe: { httpGet: { path: '/healthz', port: 'admin' } },
        readinessProbe: { httpGet: { path: '/readyz', port: 'admin' } },
        livenessProbe: { httpGet: { path: '/healthz', port: 'admin' } },
      });
    });

    test('nodes may go one after the other, and its pods are spread over them', () => {
      const pods = template().metadata.labels;
      const { spec } = one('PodDisruptionBudget');
      expect(spec).toMatchObject({ maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' });
      expect(selects(spec['selector'], pods)).toBe(true);
      const [spread] = template().spec['topologySpreadConstraints'] as readonly Manifest[];
      expect(spread).toMatchObject({ maxSkew: 1, topologyKey: 'kubernetes.io/hostname' });
      expect(selects(spread?.['labelSelector'], pods)).toBe(true);
    });

    test('only its ports are open, and of a lane only names and servers may be asked', () => {
      const { spec } = one('NetworkPolicy');
      const portsOf = (rules: unknown) =>
        (rules as readonly { ports: readonly { port: number }[] }[]).flatMap(({ ports }) =>
          ports.map(({ port }) => port),
        );
      expect(selects(spec['podSelector'], template().metadata.labels)).toBe(true);
      expect(portsOf(spec['ingress'])).toEqual(service === 'proxy' ? [8080, 9090] : [9090]);
      expect(spec['policyTypes']).toEqual(isLane ? ['Ingress', 'Egress'] : ['Ingress']);
      if (isLane) expect(portsOf(spec['egress'])).toEqual(service === 'proxy' ? [53, 53, 4222] : [53, 53, 4222, 5432]);
    });

    if (isLane) {
      test('it is scaled between the bounds of the environment', () => {
        const wanted = bounds[overlay];
        if (wanted === undefined)
          return expect(objects.map(({ kind }) => kind)).not.toContain('HorizontalPodAutoscaler');
        const [minReplicas, maxReplicas] = wanted;
        expect(one('HorizontalPodAutoscaler').spec).toMatchObject({
          minReplicas,
          maxReplicas,
          scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: nameOf },
          metrics: [{ type: 'Resource', resource: { name: 'cpu' } }],
        });
      });

      test('its ConfigMap cannot change, and its contents are in its name, by which the pods know it', () => {
        const maps = objects.filter(({ kind }) => kind === 'ConfigMap');
        expect(maps).toEqual([
          expect.objectContaining({
            immutable: true,
            metadata: expect.objectContaining({
              name: expect.stringMatching(new RegExp(`^ratings-\\$\\(LANE\\)-${service}-[a-z0-9]{10}$`)),
            }),
          }),
        ]);
        const [container] = template().spec['containers'] as readonly Manifest[];
        expect(container?.['envFrom']).toEqual([{ configMapRef: { name: maps[0]?.metadata.name } }]);
      });
    } else {
      test('two stand by, but where things are tried out', () => {
        expect(one('Deployment').spec['replicas']).toBe(overlay === 'dev' ? 1 : 2);
      });
    }

    test('no secret is written down', () => {
      expect(objects.map(({ kind }) => kind)).not.toContain('Secret');
    });
  },
);

type Manifest = Readonly<Record<string, unknown>>;
type Labels = Readonly<Record<string, string>>;

/** A selector that names labels, at least one, and each of them is the pods'. */
function selects(selector: unknown, labels: Labels): boolean {
  const wanted = Object.entries((selector as { readonly matchLabels?: Labels }).matchLabels ?? {});
  return wanted.length > 0 && wanted.every(([label, value]) => labels[label] === value);
}
