/** Base64 writes 3 bytes as 4 characters, so a secret inside a longer text looks one of three ways; its ends depend on its neighbours. */
export function base64Of(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  return [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    const first = Math.ceil((offset * 8) / 6);
    const last = Math.floor(((offset + bytes.length) * 8) / 6);
    return encoded.slice(first, last);
  });
}

/** Source of a regular expression for each of these digits, in either alphabet; encoders break base64 into lines. */
export function inLines(digits: string): readonly string[] {
  const either: Readonly<Record<string, string>> = { '+': '[+-]', '/': '[/_]' };
  return [...digits].map((digit, at) => `${at === 0 ? '' : '(?:\\r?\\n)?'}${either[digit] ?? digit}`);
}

/** A line of a key, as they are written in files. */
export const digitsOnly = /^[A-Za-z0-9+/_-]+=*$/;

type Block = { readonly digits: string; readonly at: number };

/** A hit begins with a block that stands anywhere in a secret and at a multiple of its length in a text. */
const blockChars = 8;
/** As long as is needed for one such block in it, wherever it begins. */
export const partMinChars = 2 * blockChars;

/** A long secret's base64 comes a line at a time, and each line is a part of it. */
export function hideParts(all: readonly string[], shownAs: string): (text: string) => string {
  const blocks = new Map<string, Block>();
  for (const digits of all.filter(({ length }) => length >= partMinChars))
    for (let at = 0; at + blockChars <= digits.length; at += 1) {
      const block = digits.slice(at, at + blockChars);
      if (!blocks.has(block)) blocks.set(block, { digits, at }); // A whole secret comes before its lines.
    }
  const word = new RegExp(`[A-Za-z0-9+/_-]{${partMinChars},}`, 'g');
  return (text) => (blocks.size === 0 ? text : text.replace(word, (run) => hideIn(run, blocks, shownAs)));
}

function hideIn(run: string, blocks: ReadonlyMap<string, Block>, shownAs: string): string {
  const plain = run.replaceAll('-', '+').replaceAll('_', '/');
  let shown = '';
  let done = 0;
  for (let at = 0; at + blockChars <= run.length; at += blockChars) {
    const block = at < done ? undefined : blocks.get(plain.slice(at, at + blockChars));
    if (block === undefined) continue;
    const before = equalBefore(plain, at, block);
    const after = equalAfter(plain, at, block);
    if (before + after < partMinChars) continue;
    shown += `${run.slice(done, Math.max(done, at - before))}${shownAs}`;
    done = at + after;
  }
  return shown + run.slice(done);
}

function equalBefore(text: string, at: number, block: Block): number {
  let length = 0;
  while (length < Math.min(at, block.at) && text[at - length - 1] === block.digits[block.at - length - 1]) length += 1;
  return length;
}

function equalAfter(text: string, at: number, block: Block): number {
  let length = 0;
  while (at + length < text.length && text[at + length] === block.digits[block.at + length]) length += 1;
  return length;
}
