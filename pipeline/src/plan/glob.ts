/**
 * Globs over paths with `/`, relative to the root: `*` within a name, `**` over folders, `{a,b}`, and `!` first to take out again.
 * Later globs win, as in a .gitignore.
 */
export function matcher(globs: readonly string[]): (path: string) => boolean {
  const tests = globs.map((glob) => {
    const out = glob.startsWith('!');
    return { out, pattern: patternOf(out ? glob.slice(1) : glob) };
  });
  return (path) => tests.reduce((taken, { out, pattern }) => (pattern.test(path) ? !out : taken), false);
}

/** The folders in which matches can lie, so that nobody walks the rest; `` is the root. */
export function startFolders(globs: readonly string[]): readonly string[] {
  const starts = globs
    .filter((glob) => !glob.startsWith('!'))
    .map((glob) => {
      const names = glob.split('/');
      const wild = names.findIndex((name) => /[*{]/.test(name));
      return (wild < 0 ? names.slice(0, -1) : names.slice(0, wild)).join('/');
    });
  const unique = [...new Set(starts)];
  return unique.filter((start) => !unique.some((other) => other !== start && isBelow(start, other)));
}

function isBelow(folder: string, other: string): boolean {
  return other === '' || folder.startsWith(`${other}/`);
}

function patternOf(glob: string): RegExp {
  const source = glob.replace(/\*\*\/|\/\*\*$|\*\*|\*|\{[^{}]*\}|[^*{]/g, (part) => {
    if (part === '**/') return '(?:.*/)?';
    if (part === '/**') return '/.*';
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    if (part.length > 1) return `(?:${part.slice(1, -1).split(',').map(escaped).join('|')})`;
    return escaped(part);
  });
  return new RegExp(`^${source}$`);
}

function escaped(text: string): string {
  return text.replace(/[\\^$.|?+()[\]{}*]/g, '\\$&');
}
