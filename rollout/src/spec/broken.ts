import type { WrittenService, WrittenSpec } from './parse.ts';
import type { Path } from './source.ts';

/** Where, and which rule is broken; what is written there is looked up by who asks. `of` is `value` unless given. */
export type Broken = { readonly path: Path; readonly rule: string; readonly of?: 'key' | 'value' };
export type Rule = (spec: WrittenSpec) => readonly Broken[];

export function when(condition: boolean, broken: Broken): readonly Broken[] {
  return condition ? [broken] : [];
}

export function pulls(service: WrittenService): boolean {
  return isWritten(service, 'pulls') && service.pulls?.length !== 0;
}

/** Also true for a part that could not be read: its mistake is reported already, and it is not missing. */
export function isWritten<T extends object>(written: T, part: keyof T): boolean {
  return Object.hasOwn(written, part);
}
