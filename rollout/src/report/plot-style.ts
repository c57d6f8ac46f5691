/** How a plot looks. Every name here is a class of an element. */

type Palette = {
  readonly [part in 'ground' | 'ink' | 'soft' | 'rule' | 'live' | 'candidate' | 'bad' | 'good']: string;
};

/** Blue and orange are told apart by everybody; the ground decides how bright they are. */
const onLight: Palette = {
  ground: '#fff',
  ink: '#1f2328',
  soft: '#656d76',
  rule: '#d0d7de',
  live: '#0969da',
  candidate: '#bc4c00',
  bad: '#cf222e',
  good: '#1a7f37',
};
const onDark: Palette = {
  ground: '#0d1117',
  ink: '#e6edf3',
  soft: '#8d96a0',
  rule: '#30363d',
  live: '#58a6ff',
  candidate: '#f0883e',
  bad: '#ff7b72',
  good: '#3fb950',
};

/** Written out for both grounds: not every program that shows SVG knows variables. */
function colours({ ground, ink, soft, rule, ...lines }: Palette): string {
  const each = Object.entries(lines).map(
    ([name, colour]) => `.${name}{stroke:${colour}}.band.${name}{fill:${colour}}.${name}-text{fill:${colour}}`,
  );
  return `.ground{fill:${ground}}text{fill:${ink}}.soft{fill:${soft}}.rule{stroke:${rule}}${each.join('')}`;
}

export const plotStyle = [
  'text{font:12px system-ui,sans-serif}.title{font-size:15px;font-weight:600}.end{text-anchor:end}.middle{text-anchor:middle}',
  '.rule,.line,.decides{fill:none}.line{stroke-width:1.8;stroke-linejoin:round}',
  '.decides{stroke-dasharray:5 4;stroke-width:1.5}.since{stroke-dasharray:2 3}',
  colours(onLight),
  `@media (prefers-color-scheme: dark){${colours(onDark)}}`,
  '.band{stroke:none!important;opacity:.2}',
].join('');
