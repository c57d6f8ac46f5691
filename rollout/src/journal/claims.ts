/**
 * Who holds a lock, as a folder of numbered claims. The highest number says how things stand, and is never removed.
 * A claim is a symbolic link whose target is the text: the one file that Linux creates exclusively and with its content in
 * one step, so nobody ever reads a half-written claim.
 *
 *   1 -> held by A      A died: B and C both see 1 as dead, both try to create 2, and the file system lets one
 *   2 -> held by C      B sees a living claim and waits
 *   3 -> free           C has released
 *
 * Nothing is broken by removing it, so a slow breaker cannot remove the claim of a quicker one.
 */
import { mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { invariant } from '../errors.ts';
import { hasCode, unlessMissing } from './files.ts';

/** `text` is `undefined` when the lock is free. */
export type Claim = { readonly number: number; readonly text: string | undefined };

const free = 'free';
const heldBy = 'held by ';
const readTriesMax = 1_000;

/** How the lock stands now: the highest claim. A folder without one is free, as number 0. */
export async function readClaim(folder: string): Promise<Claim> {
  for (let tries = 0; tries < readTriesMax; tries++) {
    const number = Math.max(0, ...(await numbers(folder)));
    if (number === 0) return { number, text: undefined };
    const target = await unlessMissing(readlink(join(folder, String(number))));
    if (target === undefined) continue; // Gone between the two calls: a higher one is there now.
    return { number, text: target.startsWith(heldBy) ? target.slice(heldBy.length) : undefined };
  }
  invariant(false, `Cannot read the claims of "${folder}" as they must stand still for a moment`);
}

/** Puts `text` after `seen`, which the caller found to be free or given up. `undefined`: somebody was quicker. */
export async function claimAfter(seen: Claim, folder: string, text: string): Promise<Claim | undefined> {
  await mkdir(folder, { recursive: true });
  const number = seen.number + 1;
  if (!(await createLink(folder, number, heldBy + text))) return undefined;
  const all = await numbers(folder);
  if (Math.max(...all) !== number) {
    // `seen` was old: our number had been used and removed before. It counts for nothing, as a higher one stands.
    await rm(join(folder, String(number)), { force: true });
    return undefined;
  }
  await removeBelow(number, all, folder);
  return { number, text };
}

/** True until somebody has put a claim after it. */
export async function stillStands(claim: Claim, folder: string): Promise<boolean> {
  const all = await numbers(folder);
  return all.includes(claim.number) && Math.max(...all) === claim.number;
}

/** Safe to repeat, and harmless when somebody has taken over: then it is false. */
export async function release(claim: Claim, folder: string): Promise<boolean> {
  if (!(await stillStands(claim, folder))) return false;
  const isFreed = await createLink(folder, claim.number + 1, free);
  await rm(join(folder, String(claim.number)), { force: true });
  return isFreed;
}

/** The link itself: its time of change is the holder's heartbeat. */
export function claimPath(claim: Claim, folder: string): string {
  return join(folder, String(claim.number));
}

async function removeBelow(number: number, all: readonly number[], folder: string): Promise<void> {
  for (const old of all) {
    if (old < number) await rm(join(folder, String(old)), { force: true });
  }
}

async function numbers(folder: string): Promise<number[]> {
  const names = (await unlessMissing(readdir(folder))) ?? [];
  return names.filter((name) => /^[0-9]+$/.test(name)).map(Number);
}

/** False if the number is taken. */
async function createLink(folder: string, number: number, target: string): Promise<boolean> {
  try {
    await symlink(target, join(folder, String(number)));
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}
