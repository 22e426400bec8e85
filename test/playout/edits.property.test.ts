import { and, eq, gte, inArray } from 'drizzle-orm';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { updateChannel } from '../../src/db/channels.ts';
import { replaceMedia } from '../../src/db/collections.ts';
import type { Database } from '../../src/db/connection.ts';
import { media, playoutItems } from '../../src/db/schema.ts';
import { CollectionReader } from '../../src/playout/collection-reader.ts';
import { previewChannel } from '../../src/playout/preview.ts';
import type { Schedule, Slot } from '../../src/schedule/types.ts';
import { aSchedule, zones } from '../schedule/schedules.mjs';
import { databases, type TestDatabase } from '../support/databases.ts';
import { checkedPlan, freezeMs, type How } from './checked-plan.ts';
import { aChannel, aCollection, aLibrary, hour, minute, type Row, t0 } from './station.ts';

const seed = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));

const slotIds = [...'12345'];
const numbers = [...Array(12).keys()];

const aStep = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('wait'), minutes: fc.integer({ min: 1, max: 700 }) }),
  },
  {
    weight: 2,
    // Added, removed, and put into another order.
    arbitrary: fc.record({
      kind: fc.constant('list'),
      slot: fc.constantFrom(...slotIds),
      numbers: fc.shuffledSubarray(numbers, { maxLength: 9 }),
    }),
  },
  {
    weight: 1,
    // What a scan may find: some are gone or back, and one is longer or shorter.
    arbitrary: fc.record({
      kind: fc.constant('scan'),
      slot: fc.constantFrom(...slotIds),
      gone: fc.subarray(numbers, { maxLength: 4 }),
      changed: fc.constantFrom(...numbers),
      minutes: fc.integer({ min: 5, max: 57 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('schedule'), schedule: aSchedule }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('plan'),
      how: fc.constantFrom('extend', 'rebuild', 'review', 'review', 'from now'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('truncate'), hours: fc.integer({ min: 0, max: 6 }) }),
  },
) as fc.Arbitrary<Step>;

type Step =
  | { kind: 'wait'; minutes: number }
  | { kind: 'list'; slot: string; numbers: number[] }
  | { kind: 'scan'; slot: string; gone: number[]; changed: number; minutes: number }
  | { kind: 'schedule'; schedule: Schedule }
  | { kind: 'plan'; how: How }
  | { kind: 'truncate'; hours: number };

const aStory = fc.record({
  zone: fc.constantFrom(...zones),
  schedule: aSchedule,
  steps: fc.array(aStep, { minLength: 5, maxLength: 16 }),
  /** Where in the timeline it is planned from again at the end. */
  again: fc.double({ min: 0, max: 1, noNaN: true }),
});

describe.each(databases)('a timeline that is edited in any way at any moment ($name)', ({ open }) => {
  let database: TestDatabase;
  let db: Database;

  beforeAll(async () => {
    console.info(`edits of timelines: TEST_SEED=${seed}`);
    database = await open();
    db = database.db;
  });
  afterAll(async () => {
    await database?.stop();
  });

  it('keeps what is frozen, has no hole, and neither replays nor skips an episode', async () => {
    const shelves = await makeShelves(db);
    await fc.assert(
      fc.asyncProperty(aStory, (story) => new Station(db, shelves).live(story)),
      // A slow machine tells fewer of them.
      { numRuns: 25, seed, endOnFailure: true, interruptAfterTimeLimit: 8_000 },
    );
  }, 120_000);
});

/** Every slot plays a collection of its own, of episodes that are numbered by when they were aired. */
interface Shelves {
  /** The media of each slot, by number. */
  media: ReadonlyMap<string, readonly string[]>;
  /** The number of an episode, by its id. */
  numberOf: ReadonlyMap<string, number>;
  collections: ReadonlyMap<string, string>;
}

async function makeShelves(db: Database): Promise<Shelves> {
  const library = await aLibrary(db);
  const shelf = new Map<string, string[]>();
  const numberOf = new Map<string, number>();
  const collections = new Map<string, string>();
  for (const slot of slotIds) {
    const ids: string[] = [];
    for (const n of numbers) {
      const aired = `20${String(n + 10)}-01-01`;
      const id = await library.file({ title: `${slot}-${n}`, durationMs: lengthOf(n), show: slot, aired });
      ids.push(id);
      numberOf.set(id, n);
    }
    shelf.set(slot, ids);
    collections.set(slot, await aCollection(db, []));
  }
  for (const name of ['F', 'G']) {
    const ids: string[] = [];
    for (const n of [1, 2, 3]) ids.push(await library.file({ title: `${name}${n}`, durationMs: n * 97_000 }));
    collections.set(name, await aCollection(db, ids));
  }
  collections.set('N', await aCollection(db, []));
  return { media: shelf, numberOf, collections };
}

function lengthOf(n: number): number {
  return (17 + ((n * 7) % 40)) * minute;
}

/** One story: a channel, what is edited of it, and what each slot has to play next. */
class Station {
  readonly #db: Database;
  readonly #shelves: Shelves;
  readonly #listed = new Map<string, number[]>();
  readonly #gone = new Map<string, number[]>();
  /** The slots of the schedule by which each row was planned, by the row's id. */
  readonly #slotsOfRow = new Map<number, ReadonlySet<string>>();
  /** Rows that somebody has deleted: the channel goes on as if they had been on. */
  #deleted: Row[] = [];
  #damaged = false;
  #schedule: Schedule;
  #now = t0;

  constructor(db: Database, shelves: Shelves) {
    this.#db = db;
    this.#shelves = shelves;
    this.#schedule = { slots: [] };
  }

  async live({ zone, schedule, steps, again }: typeof aStory extends fc.Arbitrary<infer T> ? T : never) {
    for (const slot of slotIds) {
      await this.#list(slot, [1, 2, 3, 5, 8]);
      await this.#scan(slot, []);
    }
    const { id } = await aChannel(this.#db, this.#shelves.collections.get('N')!);
    this.#schedule = this.#simplified(schedule);
    await updateChannel(this.#db, id, { zone, schedule: this.#schedule });
    await this.#plan(id, 'extend');
    for (const step of steps) await this.#take(id, step);
    await this.#plan(id, 'rebuild');
    await this.#planAgain(id, again);
  }

  async #take(id: string, step: Step): Promise<void> {
    switch (step.kind) {
      case 'wait':
        this.#now += step.minutes * minute + 77;
        return;
      case 'list':
        return await this.#list(step.slot, step.numbers);
      case 'scan':
        await this.#scan(step.slot, step.gone);
        return await this.#setLength(step.slot, step.changed, step.minutes * minute);
      case 'schedule':
        this.#schedule = this.#simplified(step.schedule);
        await updateChannel(this.#db, id, { schedule: this.#schedule });
        return;
      case 'truncate': {
        const beyond = gte(playoutItems.startsAt, this.#now + step.hours * hour);
        const own = and(eq(playoutItems.channelId, id), beyond);
        this.#damaged = true;
        this.#deleted.push(...(await this.#db.delete(playoutItems).where(own).returning()));
        return;
      }
      case 'plan':
        return await this.#plan(id, step.how);
    }
  }

  async #plan(id: string, how: How): Promise<void> {
    const damaged = this.#damaged;
    const { from, rows } = await checkedPlan(this.#db, id, { now: this.#now, how, damaged });
    this.#damaged = false;
    const slots = new Set(slotsOf(this.#schedule).map((slot) => slot.id));
    for (const row of rows) if (row.startsAt >= from) this.#slotsOfRow.set(row.id, slots);
    this.#deleted = this.#deleted.filter(
      (gone) =>
        gone.startsAt < from && !rows.some((row) => row.startsAt < gone.endsAt && row.endsAt > gone.startsAt),
    );
    this.#follow(
      [...this.#deleted, ...rows].sort((a, b) => a.startsAt - b.startsAt),
      from,
    );
  }

  /** Each slot plays the first episode behind the last that it has played, of those that there are. */
  #follow(rows: readonly Row[], from: number): void {
    const last = new Map<string, number>();
    const forgotten = new Set<string>();
    for (const row of rows) {
      const slot = row.slot ?? '';
      if (row.kind === 'program' && row.inMs === 0) {
        const number = this.#shelves.numberOf.get(row.mediaId!)!;
        if (row.startsAt >= from) {
          const expected = [this.#nextOf(slot, last.get(slot))];
          if (forgotten.has(slot)) expected.push(this.#nextOf(slot, undefined));
          expect(expected, `slot ${slot} at ${new Date(row.startsAt).toISOString()}`).toContain(number);
        }
        last.set(slot, number);
        forgotten.delete(slot);
      }
      // What is not in a schedule may begin anew when it is again.
      const known = this.#slotsOfRow.get(row.id);
      for (const id of slotIds) if (known?.has(id) === false) forgotten.add(id);
    }
  }

  #nextOf(slot: string, last = -1): number {
    const gone = this.#gone.get(slot)!;
    const there = this.#listed.get(slot)!.filter((n) => !gone.includes(n));
    const later = there.filter((n) => n > last);
    return Math.min(...(later.length === 0 ? there : later));
  }

  /** Any instant of what was planned last can be planned from again, and gives the same. */
  async #planAgain(id: string, where: number): Promise<void> {
    const from = Math.round(this.#now + freezeMs + where * 10 * hour);
    const request = { channelId: id, now: this.#now, schedule: this.#schedule, from, to: from + 9 * hour };
    const preview = await previewChannel(
      this.#db,
      { ...request, freezeMs, edition: 0, limit: 1, offset: 0 },
      new CollectionReader(),
    );
    expect(preview!.difference).toMatchObject({ added: 0, removed: 0 });
  }

  async #list(slot: string, listed: number[]): Promise<void> {
    this.#listed.set(slot, listed);
    const ids = this.#shelves.media.get(slot)!;
    await replaceMedia(
      this.#db,
      this.#shelves.collections.get(slot)!,
      listed.map((n) => ids[n]!),
    );
  }

  async #scan(slot: string, gone: number[]): Promise<void> {
    this.#gone.set(slot, gone);
    const ids = this.#shelves.media.get(slot)!;
    await this.#db
      .update(media)
      .set({ state: 'ready' })
      .where(inArray(media.id, [...ids]));
    if (gone.length === 0) return;
    const lost = gone.map((n) => ids[n]!);
    await this.#db.update(media).set({ state: 'unavailable' }).where(inArray(media.id, lost));
  }

  async #setLength(slot: string, n: number, durationMs: number): Promise<void> {
    const id = this.#shelves.media.get(slot)![n]!;
    await this.#db.update(media).set({ durationMs }).where(eq(media.id, id));
  }

  /** The same schedule, but every slot plays its own collection, and no media is too long for its duration. */
  #simplified({ slots, days }: Schedule): Schedule {
    const { collections } = this.#shelves;
    const own = (slot: Slot): Slot => {
      const rolls = Object.entries(slot.filler ?? {}).map(([kind, roll]) => {
        const name = roll.from === 'P' ? 'F' : roll.from;
        return [kind, name === undefined ? roll : { ...roll, from: collections.get(name)! }];
      });
      const play = collections.get(slot.id)!;
      const plain = { ...slot, play, order: 'chronological', filler: Object.fromEntries(rolls) } as Slot;
      return plain.mode === 'duration' && plain.duration === 'PT30M' ? { ...plain, duration: 'PT9H' } : plain;
    };
    const lists = days?.map((day) => ({ when: day.when, slots: day.slots.map(own) }));
    return { slots: slots.map(own), ...(lists === undefined ? {} : { days: lists }) };
  }
}

function slotsOf({ slots, days = [] }: Schedule): Slot[] {
  return [...slots, ...days.flatMap((day) => day.slots)];
}
