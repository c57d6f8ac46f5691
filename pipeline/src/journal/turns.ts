/** A run is one, however often and wherever it is started. What a journal says of it, start by start. */
import type { Before, Doer, RunEvent } from '../event.ts';

export type Start = Extract<RunEvent, { readonly kind: 'run.start' }>;

/** From one start of a run to the next. */
export type Turn = { readonly start: Start; readonly events: readonly RunEvent[] };

/** What stands before the first start belongs to none. */
export function turnsIn(events: readonly RunEvent[]): readonly Turn[] {
  const turns: { start: Start; events: RunEvent[] }[] = [];
  for (const event of events) {
    if (event.kind === 'run.start') turns.push({ start: event, events: [event] });
    else turns.at(-1)?.events.push(event);
  }
  return turns;
}

/** Each turn once, in order of time. Of one that both know the longer account counts, `first`'s where they are equal. */
export function joined(first: readonly RunEvent[], second: readonly RunEvent[]): readonly RunEvent[] {
  const turns = new Map<string, Turn>();
  for (const turn of [...turnsIn(first), ...turnsIn(second)]) {
    const name = `${turn.start.at} ${turn.start.actor}`;
    const known = turns.get(name);
    if (known === undefined || known.events.length < turn.events.length) turns.set(name, turn);
  }
  return [...turns.values()].sort((a, b) => a.start.at - b.start.at).flatMap(({ events }) => events);
}

/** The last events that fit; a turn that is cut keeps its start. */
export function newest(events: readonly RunEvent[], bytesMax: number): readonly RunEvent[] {
  let from = events.length;
  for (let bytes = 0; from > 0; from -= 1) {
    bytes += Buffer.byteLength(JSON.stringify(events[from - 1])) + 1;
    if (bytes > bytesMax) break;
  }
  const kept = events.slice(from);
  const start = events.slice(0, from).findLast(({ kind }) => kind === 'run.start');
  return start === undefined || kept[0]?.kind === 'run.start' ? kept : [start, ...kept];
}

export function lastOf(events: readonly RunEvent[]): Before | undefined {
  const turn = turnsIn(events).at(-1);
  if (turn === undefined) return undefined;
  const end = turn.events.find((event) => event.kind === 'run.end');
  return { actor: turn.start.actor, at: (turn.events.at(-1) ?? turn.start).at, outcome: end?.outcome };
}

export function doerOf(step: string, events: readonly RunEvent[]): Doer | undefined {
  for (const { start, events: all } of turnsIn(events).toReversed()) {
    const finished = all.find((event) => event.kind === 'step.done' && event.step === step && event.acted);
    const acted = finished ?? all.findLast((event) => event.kind === 'intent' && event.step === step);
    if (acted !== undefined) return { actor: start.actor, at: acted.at, finished: finished !== undefined };
  }
  return undefined;
}
