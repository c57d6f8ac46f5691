import { lanes, type Pin } from '../lane.ts';

/** The pins that Headgate wrote beside what it made of them; `undefined` for somebody else's text: the object is then not whole, and says so. */
export function pinsIn(annotation: string | undefined): readonly Pin[] | undefined {
  if (annotation === undefined) return [];
  try {
    const pins: unknown = JSON.parse(annotation);
    return Array.isArray(pins) && pins.every(isPin) ? pins : undefined;
  } catch {
    return undefined; // No JSON.
  }
}

function isPin(value: unknown): value is Pin {
  const { header, value: text, lane } = (value ?? {}) as Record<string, unknown>;
  return typeof header === 'string' && typeof text === 'string' && lanes.some((one) => one === lane);
}
