/** Second step: what the written parts mean together. Each rule looks at one thing and knows nothing of the others. */
import { lanes } from '../lane.ts';
import { pinsMax, sameMarker } from '../pin.ts';
import { type Broken, isWritten, pulls, type Rule, when } from './broken.ts';
import { existingQueue } from './existing.ts';
import { brokenMetrics } from './metrics.ts';
import { defaultSteps, defaults } from './normalize.ts';
import type { WrittenService } from './parse.ts';
import { brokenPerf } from './perf.ts';

/** Names become parts of subjects, streams, durables, labels and Service names, `<app>-green-<service>` at the longest. */
const name = { app: /^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$/, service: /^[a-z]([a-z0-9-]{0,23}[a-z0-9])?$/ } as const;

/** What a platform gives to a lane process; a value written by hand would be overwritten in silence, or win over it. */
const givenByPlatform =
  /^(HEADGATE_.*|PORT|ADMIN_PORT|SUBJECT_PREFIX|SERVICE_STREAM_NAME|SERVICE_CONSUMER_NAME|OTHER_STREAM_NAME|OTHER_CONSUMER_NAME|NATS_URL)$/;

const appName: Rule = ({ app }) => [
  ...when(app !== undefined && !name.app.test(app), {
    path: ['app'],
    rule: 'must be at most 30 lower-case letters, digits and inner dashes, a letter first',
  }),
  // `a-blue` beside `a` would share names with it: the lane blue of `a` is called `a-blue`.
  ...when(app !== undefined && lanes.some((lane) => app.endsWith(`-${lane}`)), {
    path: ['app'],
    rule: `must not end in the name of a lane (${lanes.join(', ')})`,
  }),
];

const serviceNames: Rule = ({ services }) =>
  [...(services?.keys() ?? [])].flatMap((service) => [
    ...when(!name.service.test(service), {
      path: ['services', service],
      rule: 'must be named with at most 25 lower-case letters, digits and inner dashes, a letter first',
      of: 'key',
    }),
    ...when(service === 'pinned', {
      path: ['services', service],
      rule: 'must not be named "pinned", which Headgate uses',
    }),
  ]);

/** The router sends a lane's requests to its one service with a port. */
const oneProxy: Rule = ({ services }) => {
  if (services === undefined) return [];
  const proxies = [...services].filter(([, service]) => isWritten(service, 'port')).map(([service]) => service);
  if (proxies.length === 0) return [{ path: ['services'], rule: 'must have one service with a port, the proxy' }];
  return proxies.slice(1).map((service) => ({
    path: ['services', service, 'port'],
    rule: `must be written for one service only, and ${proxies[0]} has one`,
  }));
};

const serviceParts: Rule = ({ services }) =>
  [...(services ?? [])].flatMap(([service, written]) =>
    partsOf(written).map((broken) => ({ ...broken, path: ['services', service, ...broken.path] })),
  );

function partsOf(service: WrittenService): readonly Broken[] {
  const { env } = service;
  const serves = isWritten(service, 'port');
  const pulling = pulls(service);
  return [
    ...when(!serves && !pulling, { path: [], rule: 'must have a port or something that it pulls' }),
    ...when(serves && pulling, { path: ['pulls'], rule: 'must not stand beside a port: a proxy pulls nothing' }),
    ...when(!serves && isWritten(service, 'probe'), { path: ['probe'], rule: 'must stand beside a port' }),
    ...[...(env?.keys() ?? [])].flatMap((variable) => [
      ...when(!/^[A-Za-z_][A-Za-z0-9_]*$/.test(variable), {
        path: ['env', variable],
        rule: 'must be named with letters, digits and underscores',
        of: 'key',
      }),
      ...when(givenByPlatform.test(variable), {
        path: ['env', variable],
        rule: 'must be left to the platform, which sets it',
      }),
    ]),
  ];
}

/** A workqueue stream takes no two consumers for one subject, and a message has one service that answers it. */
const pullsAreDisjoint: Rule = ({ services }) => {
  const owners = new Map<string, string>();
  return [...(services ?? [])].flatMap(([service, { pulls = [] }]) =>
    pulls.flatMap((subject, index) => {
      const owner = subject === undefined ? undefined : owners.get(subject);
      if (subject !== undefined && owner === undefined) owners.set(subject, service);
      const rule = owner === service ? 'must be pulled once' : `must be pulled by one service, and ${owner} pulls it`;
      return when(owner !== undefined, { path: ['services', service, 'pulls', index], rule });
    }),
  );
};

const queueIsUsed: Rule = (spec) => {
  const puller = [...(spec.services ?? [])].find(([, service]) => pulls(service))?.[0];
  const written = isWritten(spec, 'queue');
  return [
    ...when(puller !== undefined && !written, { path: ['queue'], rule: `must be written, as ${puller} pulls` }),
    ...when(puller === undefined && written, { path: ['queue'], rule: 'must have a service that pulls from it' }),
  ];
};

const oneRouter: Rule = ({ kubernetes }) => {
  const named = Object.keys(kubernetes?.traffic ?? {}).filter((key) => key !== 'replicas');
  return when(kubernetes?.traffic !== undefined && named.length !== 1, {
    path: ['kubernetes', 'traffic'],
    rule: 'must name one router, gateway-api or ingress-nginx',
  });
};

const steps: Rule = ({ release = {} }) => {
  if (isWritten(release, 'strategy') && release.strategy === undefined) return [];
  const strategy = release.strategy ?? defaults.strategy;
  const written = release.steps ?? defaultSteps(strategy);
  const path = ['release', 'steps'];
  return [
    ...when(strategy === 'canary' && written.length === 0, {
      path,
      rule: 'must have a step, as the strategy is canary',
    }),
    ...when(strategy !== 'canary' && written.length > 0, {
      path,
      rule: `must be left out, as the strategy is ${strategy}`,
    }),
    ...written.flatMap((step, index) => [
      ...when(step !== undefined && (step < 1 || step > 99), {
        path: [...path, index],
        rule: 'must be from 1% to 99%: promotion is 100% and no step',
      }),
      ...when(step !== undefined && step <= (written[index - 1] ?? 0) && index > 0, {
        path: [...path, index],
        rule: `must be more than the step before it, ${written[index - 1]}%`,
      }),
    ]),
  ];
};

/** The test that nobody is in tests nothing; and pins that no test takes up would be forgotten in silence. */
const testPins: Rule = ({ release = {} }) => {
  if (isWritten(release, 'strategy') && release.strategy === undefined) return [];
  const { strategy = defaults.strategy, pins = [] } = release;
  const path = ['release', 'pins'];
  return [
    ...when(strategy === 'ab' && pins.length === 0, { path, rule: 'must have a pin, as the strategy is ab' }),
    ...when(strategy !== 'ab' && pins.length > 0, { path, rule: `must be left out, as the strategy is ${strategy}` }),
    ...when(pins.length > pinsMax, { path, rule: `must be at most ${pinsMax}` }),
    ...pins.flatMap((pin, index) =>
      when(pin !== undefined && pins.findIndex((other) => other !== undefined && sameMarker(other, pin)) < index, {
        path: [...path, index],
        rule: 'must be written once',
      }),
    ),
  ];
};

/** Live changed in place has no candidate to judge, watch or keep warm: what is written for one would be believed in. */
const rolling: Rule = (spec) => {
  const { release = {} } = spec;
  if (release.strategy !== 'rolling') return [];
  const path = ['release', 'strategy'];
  const others = Object.keys(release).filter((key) => !['strategy', 'steps', 'pins', 'migrate'].includes(key)); // These have rules.
  return [
    ...when(!isWritten(spec, 'kubernetes'), { path, rule: 'must not be rolling without a part "kubernetes"' }),
    ...others.map((key) => ({ path: ['release', key], rule: 'must be left out, as the strategy is rolling' })),
  ];
};

const keptWarmThroughWatch: Rule = ({ release = {} }) => {
  const { keepWarm = defaults.keepWarmMs, watch = defaults.watchMs } = release;
  if (keepWarm >= watch) return [];
  return isWritten(release, 'keepWarm')
    ? [{ path: ['release', 'keepWarm'], rule: `must be at least as long as watch, ${formatDuration(watch)}` }]
    : [
        {
          path: ['release', 'watch'],
          rule: `must be no longer than keepWarm, ${formatDuration(keepWarm)} unless written`,
        },
      ];
};

const bakedBeforeDeadline: Rule = ({ release = {} }) => {
  const { deadline = defaults.deadlineMs, bake = defaults.bakeMs } = release;
  if (deadline > bake) return [];
  return isWritten(release, 'deadline')
    ? [{ path: ['release', 'deadline'], rule: `must be longer than bake, ${formatDuration(bake)}` }]
    : [
        {
          path: ['release', 'bake'],
          rule: `must be shorter than deadline, ${formatDuration(deadline)} unless written`,
        },
      ];
};

const migrateCommand: Rule = ({ release }) =>
  when(release?.migrate?.command?.length === 0, { path: ['release', 'migrate', 'command'], rule: 'must not be empty' });

const ownMetrics: Rule = ({ release }) =>
  brokenMetrics(release?.metrics ?? new Map()).map((broken) => ({
    ...broken,
    path: ['release', 'metrics', ...broken.path],
  }));

const perf: Rule = ({ perf: written }) =>
  written === undefined ? [] : brokenPerf(written).map((broken) => ({ ...broken, path: ['perf', ...broken.path] }));

const syntheticRequests: Rule = ({ release }) =>
  when(release?.synthetic?.requests?.length === 0, {
    path: ['release', 'synthetic', 'requests'],
    rule: 'must name a request',
  });

export const rules: readonly Rule[] = [
  appName,
  serviceNames,
  oneProxy,
  serviceParts,
  pullsAreDisjoint,
  queueIsUsed,
  existingQueue,
  oneRouter,
  steps,
  testPins,
  rolling,
  keptWarmThroughWatch,
  bakedBeforeDeadline,
  migrateCommand,
  ownMetrics,
  syntheticRequests,
  perf,
];

function formatDuration(ms: number): string {
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000}h`;
  if (ms % 60_000 === 0) return `${ms / 60_000}m`;
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}
