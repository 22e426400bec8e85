import { and, eq, gte } from 'drizzle-orm';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { updateChannel } from '../../src/db/channels.ts';
import { replaceMedia } from '../../src/db/collections.ts';
import type { Database } from '../../src/db/connection.ts';
import { playoutCheckpoints, playoutItems } from '../../src/db/schema.ts';
import { unpacked } from '../../src/playout/cursor-log.ts';
import { type PlanChannelRequest, planChannel } from '../../src/playout/plan-channel.ts';
import type { Slot } from '../../src/schedule/types.ts';
import { databases, type TestDatabase } from '../support/databases.ts';
import { aChannel, aCollection, aLibrary, holes, hour, minute, rowsOf, t0 } from './station.ts';

const freezeMs = 2 * hour;
const horizonMs = 12 * hour;

type Step =
  | { kind: 'wait'; minutes: number }
  | { kind: 'members'; collection: 0 | 1; from: number; count: number }
  | { kind: 'schedule'; slots: number }
  | { kind: 'plan'; replace: PlanChannelRequest['replace'] | 'none' }
  | { kind: 'truncate'; from: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('wait'), minutes: fc.integer({ min: 1, max: 1000 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('members'),
      collection: fc.constantFrom(0, 1),
      from: fc.integer({ min: 0, max: 7 }),
      count: fc.constantFrom(0, 0, 1, 3, 8),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('schedule'), slots: fc.integer({ min: 0, max: 3 }) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('plan'),
      replace: fc.constantFrom('none', 'beyond-freeze', 'after-current'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('truncate'), from: fc.integer({ min: -2, max: 6 }) }),
  },
) as fc.Arbitrary<Step>;

describe.each(databases)('a timeline that is edited in any order ($name)', ({ open }) => {
  let database: TestDatabase;
  let db: Database;

  beforeAll(async () => {
    database = await open();
    db = database.db;
  });
  afterAll(async () => {
    await database?.stop();
  });

  it('has no hole, keeps what is on air and what is frozen, and counts what it changes', async () => {
    const library = await aLibrary(db);
    const ids: string[] = [];
    for (const minutes of [3, 7, 12, 25, 45, 50, 90, 150]) {
      ids.push(await library.file({ title: `Film of ${minutes}`, durationMs: minutes * minute }));
    }
    const story = fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
      await tell(steps, ids);
    });
    await fc.assert(story, { numRuns: 20, seed: 7, endOnFailure: true });
  }, 120_000);

  async function tell(steps: readonly Step[], ids: readonly string[]): Promise<void> {
    const collections = [await aCollection(db, ids.slice(0, 3)), await aCollection(db, [])];
    const { id } = await aChannel(db, collections[0]!);
    let now = t0;
    await planned(id, now);
    for (const one of steps) {
      switch (one.kind) {
        case 'wait':
          now += one.minutes * minute + 77;
          break;
        case 'members':
          await replaceMedia(db, collections[one.collection]!, ids.slice(one.from, one.from + one.count));
          break;
        case 'schedule':
          await updateChannel(db, id, { schedule: { slots: slotsOf(one.slots, collections) } });
          break;
        case 'truncate': {
          const beyond = gte(playoutItems.startsAt, now + one.from * hour);
          await db.delete(playoutItems).where(and(eq(playoutItems.channelId, id), beyond));
          break;
        }
        case 'plan':
          await planned(id, now, one.replace === 'none' ? undefined : one.replace);
      }
    }
    await planned(id, now);
  }

  async function planned(
    channelId: string,
    now: number,
    replace?: PlanChannelRequest['replace'],
  ): Promise<void> {
    const before = await rowsOf(db, channelId);
    const request = { channelId, now, until: now + horizonMs, freezeMs };
    const result = (await planChannel(db, replace ? { ...request, replace } : request))!;
    const after = await rowsOf(db, channelId);

    const ahead = after.filter((row) => row.endsAt > now);
    expect(ahead[0]!.startsAt).toBeLessThanOrEqual(now);
    expect(holes(ahead)).toEqual([]);
    expect(ahead.at(-1)!.endsAt).toBeGreaterThanOrEqual(now + horizonMs);
    expect(ahead.at(-1)!.endsAt).toBe(result.endsAt);
    expect(after.length - before.length).toBe(result.added - result.removed);
    expect(result.status).toBe(ahead.some((row) => row.kind === 'program') ? 'ok' : 'no_content');

    const covered = before.some((row) => row.startsAt <= now && row.endsAt > now);
    const kept = before.filter(
      (row) => row.kind === 'program' && covered && row.startsAt <= keptUntil(now, replace),
    );
    expect(after).toEqual(expect.arrayContaining(kept));

    const boundaries = new Set(after.flatMap((row) => [row.startsAt, row.endsAt]));
    const packs = await db
      .select()
      .from(playoutCheckpoints)
      .where(eq(playoutCheckpoints.channelId, channelId));
    const checkpoints = packs.flatMap(unpacked).filter(({ at }) => at >= now);
    expect(checkpoints.filter(({ at }) => !boundaries.has(at))).toEqual([]);
    // The same again changes nothing.
    expect(await planChannel(db, request)).toMatchObject({ added: 0, removed: 0, changed: false });
  }
});

/** What starts until then stays as it is. */
function keptUntil(now: number, replace: PlanChannelRequest['replace']): number {
  switch (replace) {
    case undefined:
      return Number.POSITIVE_INFINITY;
    case 'beyond-freeze':
      return now + freezeMs - 1;
    case 'after-current':
      return now;
  }
}

function slotsOf(kind: number, [a, b]: string[]): Slot[] {
  const base = { order: 'custom' as const };
  switch (kind) {
    case 0:
      return [{ ...base, id: 'all', play: a!, mode: 'flood' }];
    case 1:
      return [
        { ...base, id: 'all', play: a!, mode: 'multiple', count: 3 },
        { ...base, id: 'b', play: b!, mode: 'one' },
      ];
    case 2:
      return [{ id: 'b', order: 'shuffle', play: b!, mode: 'flood' }];
    default:
      return [
        { id: 'c', order: 'chronological', play: b!, mode: 'one' },
        { ...base, id: 'all', play: a!, mode: 'one' },
      ];
  }
}
