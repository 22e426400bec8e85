import { eq } from 'drizzle-orm';
import { expect } from 'vitest';
import type { Database } from '../../src/db/connection.ts';
import { playoutCheckpoints } from '../../src/db/schema.ts';
import { findBeginning } from '../../src/playout/beginning.ts';
import { unpacked } from '../../src/playout/cursor-log.ts';
import {
  type PlanChannelRequest,
  type PlanChannelResult,
  planChannel,
} from '../../src/playout/plan-channel.ts';
import { holes, hour, type Row, rowsOf } from './station.ts';

export const freezeMs = 2 * hour;
export const horizonMs = 12 * hour;

export type How = 'extend' | 'rebuild' | 'review' | 'from now';

/**
 * Plans a channel, and checks what has to be so whatever was edited before: no hole, what is on air and what is
 * frozen as it was, as many rows changed as it says, and nothing more to be done. Returns where the plan began.
 *
 * @param damaged rows were deleted by hand: of a programme that has lost its filler, nothing can be said
 */
export async function checkedPlan(
  db: Database,
  channelId: string,
  { now, how, damaged }: { now: number; how: How; damaged: boolean },
): Promise<{ from: number; rows: Row[]; result: PlanChannelResult }> {
  const before = await rowsOf(db, channelId);
  const request: PlanChannelRequest = { channelId, now, until: now + horizonMs, freezeMs, ...wayOf(how) };
  const { from } = await findBeginning(db, request);
  const result = (await planChannel(db, request))!;
  const rows = await rowsOf(db, channelId);

  const ahead = rows.filter((row) => row.endsAt > now);
  expect(ahead[0]!.startsAt).toBeLessThanOrEqual(now);
  expect(holes(ahead)).toEqual([]);
  expect(ahead.at(-1)!.endsAt).toBeGreaterThanOrEqual(now + horizonMs);
  expect(ahead.at(-1)!.endsAt).toBe(result.endsAt);
  expect(rows.length - before.length).toBe(result.added - result.removed);
  expect(result.status).toBe(ahead.some((row) => row.kind !== 'offline') ? 'ok' : 'no_content');
  if (!damaged && before.some((row) => row.startsAt <= now && row.endsAt > now)) {
    expectKept(before, rows, keptUntil(now, how));
  }
  await expectCheckpointsAtJoints(db, channelId, rows, now);
  const again = { channelId, now, until: now + horizonMs, freezeMs };
  expect(await planChannel(db, again)).toMatchObject({ added: 0, removed: 0, changed: false });
  return { from, rows, result };
}

function wayOf(how: How): Pick<PlanChannelRequest, 'replace' | 'unlessSame'> {
  switch (how) {
    case 'extend':
      return {};
    case 'rebuild':
      return { replace: 'beyond-freeze' };
    case 'review':
      return { replace: 'beyond-freeze', unlessSame: true };
    case 'from now':
      return { replace: 'after-current' };
  }
}

/** What starts before then stays as it is. */
function keptUntil(now: number, how: How): number {
  switch (how) {
    case 'extend':
      return Number.POSITIVE_INFINITY;
    case 'rebuild':
    case 'review':
      return now + freezeMs;
    case 'from now':
      return now + 1;
  }
}

/** Being offline may be cut at the end of what is kept, and may be filled where nothing else follows. */
function expectKept(before: readonly Row[], after: readonly Row[], until: number): void {
  const kept = before.filter((row) => row.startsAt < until);
  const aired = kept.filter((row) => row.kind !== 'offline');
  expect(after.filter((row) => aired.some(({ id }) => id === row.id))).toEqual(aired);
  const lastContent = before.findLast((row) => row.kind !== 'offline')?.endsAt ?? 0;
  for (const row of kept) {
    if (row.kind !== 'offline' || row.startsAt >= lastContent) continue;
    const now = after.find(({ startsAt }) => startsAt === row.startsAt);
    expect(now).toMatchObject({ id: row.id, kind: 'offline', slot: row.slot });
    // It is cut at a whole second.
    expect(now!.endsAt).toBeGreaterThanOrEqual(Math.min(row.endsAt, until - 1_000));
  }
}

async function expectCheckpointsAtJoints(
  db: Database,
  channelId: string,
  rows: readonly Row[],
  now: number,
): Promise<void> {
  const joints = new Set(rows.flatMap((row) => [row.startsAt, row.endsAt]));
  const packs = await db.select().from(playoutCheckpoints).where(eq(playoutCheckpoints.channelId, channelId));
  const checkpoints = packs.flatMap(unpacked).filter(({ at }) => at >= now);
  expect(checkpoints.filter(({ at }) => !joints.has(at))).toEqual([]);
  expect(new Set(checkpoints.map(({ at }) => at)).size).toBe(checkpoints.length);
}
