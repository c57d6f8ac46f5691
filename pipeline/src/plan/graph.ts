import { HeadgateError } from '@headgate/rollout';

/** As much of a step as its place in the pipeline needs. */
export type GraphNode = {
  readonly id: string;
  readonly needs: readonly { readonly id: string }[];
  /** Paths relative to the root that the step writes: files, or whole folders as `folder/**`. */
  readonly writes: readonly string[];
};

/** Becomes part of file names and subjects: `image:proxy`. */
const idRule = /^[a-z][a-z0-9]*([:-][a-z0-9]+)*$/;
const writeRule = /^(?!\/)(?!(.*\/)?\.\.?(\/|$))[^*?{}[\]!]+?(\/\*\*)?$/;

/**
 * Steps in an order in which every step comes after what it needs, otherwise as written.
 * @throws {HeadgateError} `USAGE` with all that is wrong: bad or doubled ids, unknown needs, cycles, two steps that write one path
 */
export function ordered<Node extends GraphNode>(pipeline: string, nodes: readonly Node[]): readonly Node[] {
  const { order, cycle } = sort(nodes);
  const problems = [
    ...badIds(nodes),
    ...unknownNeeds(nodes),
    ...(cycle === undefined ? [] : [`steps must not need each other in a circle: ${cycle.join(' -> ')}`]),
    ...badWrites(nodes),
  ];
  if (problems.length === 0) return order;
  throw new HeadgateError('USAGE', `Cannot define the pipeline ${pipeline} as ${problems.join('; ')}`, {
    hint: 'correct the steps where the pipeline is defined',
  });
}

/** Where a run is to begin, or the one step that it is about. Neither unless given; never both. */
export type Part = { readonly from?: string | undefined; readonly only?: string | undefined };

/**
 * The steps of a run, and those of them that it takes as they were left: whatever `from`, or `only`, needs.
 * @throws {HeadgateError} `USAGE` for an unknown name, for one that `targets` do not bring along, for both at once
 */
export function chosen<Node extends GraphNode>(
  order: readonly Node[],
  targets: readonly string[],
  { from, only }: Part,
): { readonly steps: readonly Node[]; readonly taken: ReadonlySet<string> } {
  const whole = closure(order, targets);
  const first = from ?? only;
  if (first === undefined) return { steps: whole, taken: new Set() };
  if (from !== undefined && only !== undefined) {
    throw new HeadgateError('USAGE', `Cannot run only "${only}" as the run must not also go from "${from}"`, {
      hint: 'leave out one of the two',
    });
  }
  const before = closure(whole, [first]);
  const taken = new Set(before.map(({ id }) => id).filter((id) => id !== first));
  return { steps: only === undefined ? whole : before, taken };
}

/** The named steps and everything they need, in the order given. @throws {HeadgateError} `USAGE` for an unknown name */
export function closure<Node extends GraphNode>(order: readonly Node[], targets: readonly string[]): readonly Node[] {
  const wanted = new Set(targets);
  const unknown = targets.find((target) => !order.some(({ id }) => id === target));
  if (unknown !== undefined) {
    throw new HeadgateError('USAGE', `Cannot run a step as the pipeline must have it: current value is "${unknown}"`, {
      hint: `name one of ${order.map(({ id }) => id).join(', ')}`,
    });
  }
  // From the end, so that a step is wanted before what it needs is looked at.
  for (const { id, needs } of order.toReversed()) {
    if (wanted.has(id)) for (const need of needs) wanted.add(need.id);
  }
  return order.filter(({ id }) => wanted.has(id));
}

export function isStepId(text: string): boolean {
  return idRule.test(text);
}

/** A step's name in the file system; two ids never share one. */
export function fileName(id: string): string {
  return id.replaceAll(':', '.'); // Artifact stores refuse colons, and no id has a dot.
}

function badIds(nodes: readonly GraphNode[]): readonly string[] {
  return nodes.flatMap(({ id }, index) => [
    ...(isStepId(id) ? [] : [`a step id must be lower-case words joined by - or :, current value is "${id}"`]),
    ...(nodes.findIndex((other) => other.id === id) === index
      ? []
      : [`a step id must be used once, current value is "${id}"`]),
  ]);
}

function unknownNeeds(nodes: readonly GraphNode[]): readonly string[] {
  return nodes.flatMap(({ id, needs }) =>
    needs
      .filter((need) => !nodes.some((node) => node.id === need.id))
      .map((need) => `${id} must need steps of the same pipeline, current value is "${need.id}"`),
  );
}

/** Depth first in the order written. `cycle` is one circle, its first step repeated at the end. */
function sort<Node extends GraphNode>(
  nodes: readonly Node[],
): { order: readonly Node[]; cycle: readonly string[] | undefined } {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const order = new Set<Node>();
  const path: string[] = [];
  let cycle: readonly string[] | undefined;
  const visit = (node: Node): void => {
    const start = path.indexOf(node.id);
    if (start >= 0) cycle ??= [...path.slice(start), node.id];
    if (start >= 0 || order.has(node)) return;
    path.push(node.id);
    for (const need of node.needs) {
      const needed = byId.get(need.id);
      if (needed !== undefined) visit(needed);
    }
    path.pop();
    order.add(node);
  };
  for (const node of nodes) visit(node);
  return { order: [...order], cycle };
}

function badWrites(nodes: readonly GraphNode[]): readonly string[] {
  const writes = nodes.flatMap(({ id, writes }) => writes.map((path) => ({ id, path })));
  return [
    ...writes
      .filter(({ path }) => !writeRule.test(path))
      .map(
        ({ id, path }) =>
          `${id} must write files or whole folders (folder/**) below the root, current value is "${path}"`,
      ),
    ...writes.flatMap((one, index) =>
      writes
        .slice(index + 1)
        .filter((other) => other.id !== one.id && overlap(one.path, other.path))
        .map((other) => `a path must be written by one step, and ${one.id} and ${other.id} write "${other.path}"`),
    ),
  ];
}

function overlap(a: string, b: string): boolean {
  return covers(a, b) || covers(b, a);
}

function covers(a: string, b: string): boolean {
  return a === b || (a.endsWith('/**') && `${b}/`.startsWith(a.slice(0, -2)));
}
