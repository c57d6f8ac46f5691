/**
 * What GitHub's runner would make of a step's output, by the rules of its source (actions/runner, ActionCommand.cs and
 * ActionCommandManager.cs): lines end at \n, \r or both; `::name k=v::data` counts at the start of a line, after spaces;
 * `##[name]data` counts anywhere; nothing counts between stop-commands and its token.
 */
export type Obeyed = {
  readonly name: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly data: string;
};

const known = [
  'add-mask',
  'add-matcher',
  'add-path',
  'debug',
  'echo',
  'endgroup',
  'error',
  'group',
  'notice',
  'remove-matcher',
  'save-state',
  'set-env',
  'set-output',
  'stop-commands',
  'warning',
];

export function obeyedBy(output: string): readonly Obeyed[] {
  const obeyed: Obeyed[] = [];
  let token: string | undefined;
  for (const line of output.split(/\r\n|\r|\n/)) {
    const command = parse(line, token);
    if (command === undefined) continue;
    if (token !== undefined) {
      if (command.name === token.toLowerCase()) token = undefined;
      continue;
    }
    obeyed.push(command);
    if (command.name === 'stop-commands') token = command.data;
  }
  return obeyed;
}

function parse(line: string, token: string | undefined): Obeyed | undefined {
  const names = [...known, ...(token === undefined ? [] : [token.toLowerCase()])];
  const match =
    /^\s*::([^: ]+)(?: (.*?))?::(.*)$/s.exec(line) ?? /##\[([^\] ]+)(?: ([^\]]*))?\](.*)$/s.exec(line) ?? undefined;
  if (match === undefined) return undefined;
  const [, name = '', facts = '', data = ''] = match;
  if (!names.includes(name.toLowerCase())) return undefined;
  const properties = facts
    .split(/[,;]/)
    .filter((fact) => fact.includes('='))
    .map((fact) => [fact.slice(0, fact.indexOf('=')).trim(), unescaped(fact.slice(fact.indexOf('=') + 1))]);
  return { name: name.toLowerCase(), properties: Object.fromEntries(properties), data: unescaped(data) };
}

function unescaped(text: string): string {
  return text
    .replaceAll('%0D', '\r')
    .replaceAll('%0A', '\n')
    .replaceAll('%3A', ':')
    .replaceAll('%2C', ',')
    .replaceAll('%25', '%');
}
