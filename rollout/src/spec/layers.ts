/** What one environment makes of the file: layers merged, read, and held against every rule. */
import type { Broken } from './broken.ts';
import { readSpec } from './parse.ts';
import { rules } from './rules.ts';
import type { Finding, Node } from './source.ts';
import { describe, mergeTrees, nodeAt } from './source.ts';
import type { Read } from './values.ts';

/** Shape first, then every rule, whether or not the shape was right: all mistakes come out at once. */
export function readOne(layers: Layers, findings: Finding[]): Read | undefined {
  const tree = mergeAll(layers);
  const written = readSpec(tree, [], (finding) => findings.push(finding));
  for (const broken of rules.flatMap((rule) => (written === undefined ? [] : rule(written)))) {
    findings.push(locate(tree, broken));
  }
  return written && { written, tree, over: layers.over };
}

type Layers = { readonly base: Node; readonly over?: Node; readonly local: Node | undefined };

function mergeAll({ base, over, local }: Layers): Node {
  const tree = over === undefined ? base : mergeTrees(below(over, base), over);
  return local === undefined ? tree : mergeTrees(below(local, tree), local);
}

/** What `over` is merged over: one that rolls takes nothing from a release that has a candidate, but what its data needs. */
function below(over: Node, base: Node): Node {
  const { node } = nodeAt(over, ['release', 'strategy']);
  const release = base.kind === 'map' ? base.entries.get('release') : undefined;
  if (base.kind !== 'map' || release?.kind !== 'map' || node.kind !== 'scalar' || node.text !== 'rolling') return base;
  const kept = new Map([...release.entries].filter(([key]) => key === 'migrate'));
  return { ...base, entries: new Map(base.entries).set('release', { ...release, entries: kept }) };
}

/** A map or list is shown by its key, a part that is missing by the key of what it is missing from. */
function locate(tree: Node, { path, rule, of = 'value' }: Broken): Finding {
  const { node, found } = nodeAt(tree, path);
  if (found && node.kind === 'scalar' && of === 'value')
    return { path, rule, at: node.place.at, value: describe(node) };
  const value = of === 'key' ? JSON.stringify(path.at(-1)) : undefined;
  return { path, rule, at: node.place.keyAt, value };
}
