import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  csvColumns,
  HeadgateError,
  type OtherSettings,
  openFileJournal,
  type Records,
  type Replay,
  readEvidenceCsv,
  readHead,
  readReplay,
  replayJson,
  replayOf,
  replayText,
} from '@headgate/rollout';
import { appOptions, openApp, openJournal, releaseNumber } from './open.ts';
import { type Call, chance, flag, type Shell, type Subcommand, span, word } from './shell.ts';

export const command: Subcommand = {
  usage: 'replay [<release> | <journal folder> | <counts.csv>] [--alpha 0.001] [--tolerate strict] …',
  help: `Judges what was counted once more: as it was judged, and, where a setting is given, as a judge set like that would have said it. Touches nothing.

A number is a release of this app; without one it is the newest. A folder is a journal of the local platform, such as a copy of .headgate/journal. A file is a table of counts, one line for each block of time:
  ${csvColumns.join(',')}
Lines of share 0 at the beginning are live's history. The judge's README has an example.`,
  options: {
    ...appOptions,
    release: { type: 'string', help: 'which release of a journal folder (default: its newest)' },
    alpha: { type: 'string', help: 'chance of a false rollback, above 0 and below 1' },
    beta: { type: 'string', help: 'chance of a false promotion, above 0 and below 1' },
    bake: { type: 'string', help: 'no promotion before, e.g. 3m' },
    tolerate: { type: 'string', help: 'strict, default or relaxed' },
    latency: { type: 'string', help: 'what latencies may do: promote, rollback or off' },
  },
  positionals: { min: 1, max: 2 },
  async run(call, shell) {
    const [verb, source] = call.positionals;
    if (verb !== 'replay') {
      throw usage(`run "headgate judge ${verb}" as there is only "replay"`);
    }
    const others = othersIn(call);
    const { what, replay } = await open(source, others, call, shell);
    if (replay === undefined) throw usage(`replay ${what} as no evidence of it is kept`);
    if (flag(call, 'json')) shell.out(`${JSON.stringify(replayJson(replay))}\n`);
    else shell.out(`${replayText(replay, what).join('\n')}\n`);
    return 0;
  },
};

type Opened = { readonly what: string; readonly replay: Replay | undefined };

async function open(source: string | undefined, others: OtherSettings, call: Call, shell: Shell): Promise<Opened> {
  if (source === undefined || /^\d+$/.test(source)) {
    const app = await openApp(call, shell);
    return fromJournal(openJournal(app), source === undefined ? releaseNumber(call) : Number(source), others, shell);
  }
  const path = resolve(shell.cwd, source);
  const found = await stat(path).catch((cause: unknown) => {
    throw usage(`replay "${source}" as there is no such file or folder`, cause);
  });
  if (found.isDirectory()) return fromJournal(openFileJournal(path), releaseNumber(call), others, shell);
  if (found.size > csvMaxBytes)
    throw usage(`replay "${source}" as it must have at most ${csvMaxBytes} bytes: current value is ${found.size}`);
  return { what: source, replay: replayOf(fromCsv(source, await readFile(path, 'utf8')), others) };
}

const csvMaxBytes = 64 << 20;
const issuesMax = 20;

async function fromJournal(
  records: Pick<Records, 'journal'>,
  release: number | undefined,
  others: OtherSettings,
  { signal }: Shell,
): Promise<Opened> {
  const wanted = release ?? (await readHead(records.journal, '', signal)).release?.id;
  if (wanted === undefined) throw usage('replay as nothing has been released yet');
  return { what: `release ${wanted}`, replay: await readReplay(records, wanted, others, signal) };
}

function fromCsv(file: string, csv: string) {
  const read = readEvidenceCsv(csv);
  if (read.kind === 'entries') return read.entries;
  const shown = read.issues.slice(0, issuesMax).map((issue) => `${file}:${issue.line}  ${issue.text}`);
  const more = read.issues.length - shown.length;
  throw usage(`replay "${file}":\n${shown.join('\n')}${more > 0 ? `\nand ${more} more` : ''}`);
}

function othersIn(call: Call): OtherSettings {
  const [alpha, beta, bakeMs] = [chance(call, 'alpha'), chance(call, 'beta'), span(call, 'bake')];
  const tolerate = word(call, 'tolerate', ['strict', 'default', 'relaxed']);
  const latency = word(call, 'latency', ['promote', 'rollback', 'off']);
  return {
    ...(alpha === undefined ? {} : { alpha }),
    ...(beta === undefined ? {} : { beta }),
    ...(bakeMs === undefined ? {} : { bakeSec: bakeMs / 1_000 }),
    ...(tolerate === undefined ? {} : { tolerate }),
    ...(latency === undefined ? {} : { latency }),
  };
}

function usage(what: string, cause?: unknown): HeadgateError {
  return new HeadgateError('USAGE', `Cannot ${what}`, { hint: 'run `headgate judge --help`', cause });
}
