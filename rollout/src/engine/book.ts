import { withDeadline } from '../deadline.ts';
import { HeadgateError } from '../errors.ts';
import type { Journal, Json, Lease } from '../journal/journal.ts';
import { emptyHead, type Head, type Plan, type Release } from '../policy/release.ts';

const writeMaxMs = 5_000;

/** The head of the journal in one driver's hands: what it read last, and the only way to change it. */
export interface Book {
  readonly head: Head;
  /** Durable when it resolves. @throws {HeadgateError} `LOCK_HELD` if somebody else wrote in between, `JOURNAL_UNREADABLE` if it is gone */
  write(head: Head, signal: AbortSignal): Promise<void>;
}

/** Reads the head and raises the fence: whoever drove before can write no more. */
export async function openBook(journal: Journal, app: string, lease: Lease): Promise<Book> {
  const stored = await journal.read(lease.lost);
  const before = stored === undefined ? emptyHead(app) : toHead(stored.head);
  let head: Head = { ...before, fence: before.fence + 1 };
  let version = stored?.version;

  async function write(next: Head, signal: AbortSignal): Promise<void> {
    const deadline = withDeadline(signal, writeMaxMs);
    const written = await journal.write(fromHead(next), version, deadline);
    if (written.kind === 'conflict') {
      if ((await journal.read(deadline)) === undefined) throw journalGone(`Cannot go on driving ${app}`);
      throw new HeadgateError('LOCK_HELD', `Cannot go on driving ${app} as somebody else has written its journal`, {
        hint: 'run `headgate status` to see who drives now',
      });
    }
    version = written.version;
    head = next;
  }

  await write(head, lease.lost);
  return {
    get head() {
      return head;
    },
    write,
  };
}

/** The head of an app without the right to change it; an empty one before the first release. */
export async function readHead(journal: Journal, app: string, signal: AbortSignal): Promise<Head> {
  const stored = await journal.read(signal);
  return stored === undefined ? emptyHead(app) : toHead(stored.head);
}

/** Somebody took away what a release was written in. */
export function journalGone(doing: string): HeadgateError {
  return new HeadgateError('JOURNAL_UNREADABLE', `${doing} as the journal that had it is gone`, {
    hint: 'find out who deleted its ConfigMaps, or their namespace; users go where the router sends them',
  });
}

/** An older version's journal has none. */
const noPins = { pins: [] };

/** Nor does its plan say how messages are adopted, or what live runs, unless workers of that were to be put into the lane. */
function adoptionIn({ lanes }: Head, { former, plan }: Release): Pick<Plan, 'adopt' | 'redeploy'> {
  const { redeploy }: Partial<Plan> = plan ?? {};
  return { adopt: redeploy === undefined ? 'bind' : 'redeploy', redeploy: former && lanes[former] };
}

/** The journal keeps JSON, and JSON keeps no `undefined`: what is absent there is absent here. */
function toHead(stored: Json): Head {
  const head = stored as unknown as Head; // Written by `fromHead` under a compare-and-swap; nobody else writes it.
  const { release } = head;
  return {
    ...emptyHead(head.app),
    ...head,
    lanes: { blue: head.lanes.blue, green: head.lanes.green },
    release: release && {
      ...release,
      plan: { ...adoptionIn(head, release), ...release.plan },
      state: { ...noPins, ...release.state },
    },
  };
}

function fromHead(head: Head): Json {
  return JSON.parse(JSON.stringify(head)) as Json; // JSON of JSON.
}
