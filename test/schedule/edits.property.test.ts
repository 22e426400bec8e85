import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plan } from '../../src/schedule/plan.ts';
import {
  type Cursors,
  type PlanItem,
  type PlanMedia,
  type Schedule,
  type Slot,
  slotSchema,
} from '../../src/schedule/types.ts';
import { check } from './generated.ts';
import { Channel, hour } from './planning.ts';
import { aMedia, aSchedule, zones } from './schedules.mjs';

describe('for any change of a collection (rule 9)', () => {
  const ids = [...'abcdefghijkl'];
  const pool = fc.tuple(...ids.map((id) => aMedia(id, fc.constant(hour))));
  /** What there is before and after the change, in the same list order, and how many play before it. */
  const aChange = pool.chain((all) =>
    fc.record({
      before: fc.shuffledSubarray(all, { minLength: 1 }),
      added: fc.subarray(all),
      removed: fc.subarray(ids),
      count: fc.integer({ min: 1, max: 30 }),
      seed: fc.integer(),
      all: fc.constant(all),
    }),
  );
  const channelOf = (order: string, list: PlanMedia[], seed = 1) =>
    new Channel([slotSchema.parse({ id: 's', play: 'A', order, mode: 'flood' })], { A: list }, seed);

  it('chronological goes on with the first that comes after the last played', () => {
    check([aChange], 200, ({ before, added, removed, count, all }) => {
      const sorted = channelOf('chronological', all).play(all.length);
      const after = all.filter((m) => (before.includes(m) || added.includes(m)) && !removed.includes(m.id));
      fc.pre(after.length > 0);
      const channel = channelOf('chronological', before);
      const last = sorted.indexOf(channel.play(count).at(-1)!);
      channel.collections = { A: after };
      const round = [...sorted.slice(last + 1), ...sorted.slice(0, last + 1)];
      const expected = round.filter((id) => after.some((m) => m.id === id));
      expect(channel.play(expected.length)).toEqual(expected);
    });
  });

  it('custom goes on with what followed the last played, when media are removed', () => {
    check([aChange], 200, ({ before, removed, count }) => {
      const list = before.slice(0, 8);
      const after = list.filter((m) => !removed.includes(m.id));
      fc.pre(after.length > 0);
      const channel = channelOf('custom', list);
      const last = list.findIndex((m) => m.id === channel.play(count).at(-1));
      channel.collections = { A: after };
      const expected = [...list.slice(last + 1), ...list.slice(0, last + 1)].filter((m) => after.includes(m));
      expect(channel.play(expected.length)).toEqual(expected.map((m) => m.id));
    });
  });

  it('custom goes on behind the last played, when the list is put into another order', () => {
    check([aChange, fc.nat(11)], 200, ({ before, count, all }, by) => {
      const channel = channelOf('custom', before);
      const last = channel.play(count).at(-1);
      const after = [...all.slice(by), ...all.slice(0, by)];
      channel.collections = { A: after };
      const index = after.findIndex((m) => m.id === last);
      expect(channel.play(1)).toEqual([after[(index + 1) % after.length]!.id]);
    });
  });

  it('shuffle finishes its cycle with what is left of it, in the same order, and replays nothing', () => {
    check([aChange], 200, ({ before, added, removed, count, seed }) => {
      const played = count % before.length;
      fc.pre(played > 0);
      const cycles = Math.floor(count / before.length);
      const channel = channelOf('shuffle', before, seed);
      const soFar = channel.play(count).slice(cycles * before.length);
      const unchanged = channelOf('shuffle', before, seed)
        .play((cycles + 1) * before.length)
        .slice(count);
      const left = unchanged.filter((id) => !removed.includes(id));
      const fresh = added.filter((m) => !before.includes(m)).map((m) => m.id);
      const list = [...before, ...added.filter((m) => !before.includes(m))];
      channel.collections = { A: list.filter((m) => fresh.includes(m.id) || !removed.includes(m.id)) };
      fc.pre(left.length > 0);
      const rest: string[] = [];
      while (rest.filter((id) => left.includes(id)).length < left.length) rest.push(...channel.play(1));
      expect(rest.filter((id) => !fresh.includes(id))).toEqual(left);
      expect(rest.filter((id) => soFar.includes(id))).toEqual([]);
      expect(new Set(rest).size).toBe(rest.length);
    });
  });
});

describe('for any edits of a collection that is rotated, at any moments (rule 9)', () => {
  const shows = ['A', 'B', 'C'];
  const anEpisode = (show: string, n: number): PlanMedia => ({
    id: `${show}${n}`,
    durationMs: hour,
    show,
    season: 1,
    episode: n,
  });
  const someEpisodes = fc
    .subarray(
      shows.flatMap((show) => [...Array(12).keys()].map((n) => anEpisode(show, n))),
      { minLength: 1 },
    )
    .chain((list) => fc.shuffledSubarray(list, { minLength: list.length }));
  const someEdits = fc.array(
    fc.record({ collection: someEpisodes, plays: fc.integer({ min: 1, max: 15 }) }),
    { minLength: 2, maxLength: 8 },
  );

  it('each show goes on with the first episode behind the last that it has played', () => {
    check([someEdits], 300, (edits) => {
      const channel = new Channel(
        [slotSchema.parse({ id: 's', play: 'A', order: 'rotate', mode: 'flood' })],
        {},
      );
      const last = new Map<string, number>();
      for (const { collection, plays } of edits) {
        channel.collections = { A: collection };
        for (const id of channel.play(plays)) {
          const show = id[0]!;
          const numbers = collection.flatMap((each) => (each.show === show ? each.episode! : []));
          const later = numbers.filter((n) => n > (last.get(show) ?? -1));
          expect(id).toBe(`${show}${Math.min(...(later.length > 0 ? later : numbers))}`);
          last.set(show, Number(id.slice(1)));
        }
        // A show that is gone begins anew when it comes back.
        for (const show of shows) if (!collection.some((each) => each.show === show)) last.delete(show);
      }
    });
  });
});

describe('for any edits, at any moments (rule 9)', () => {
  /** Every slot plays a collection of its own, of episodes that are numbered by when they were aired. */
  type Shelves = Map<string, PlanMedia[]>;
  const slotIds = [...'12345'];
  const names = ['F', 'G', 'N'];

  const anEpisode = (id: string, n: number): PlanMedia => ({
    id: `${id}-${n}`,
    durationMs: (17 + ((n * 7) % 40)) * 60_000,
    aired: `20${String(n).padStart(2, '0')}-01-01`,
    season: 1 + Math.floor(n / 10),
    episode: n,
    show: id,
  });

  const aStep = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('wait'), ms: fc.integer({ min: 1, max: 30 * hour }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('media'),
        slot: fc.constantFrom(...slotIds),
        numbers: fc.subarray([...Array(40).keys()], { minLength: 1, maxLength: 12 }),
      }),
    },
    // The slots and the days are other ones, in another order, at other times.
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('schedule'), schedule: aSchedule }) },
  );
  const aStory = fc.record({
    zone: fc.constantFrom(...zones),
    schedule: aSchedule,
    order: fc.constantFrom('chronological', 'season-episode'),
    steps: fc.array(aStep, { minLength: 3, maxLength: 25 }),
  });

  it('a slot goes on with the first episode behind the last that it has played', () => {
    check([aStory], 400, tell);
  });

  function tell({
    zone,
    schedule: first,
    order,
    steps,
  }: typeof aStory extends fc.Arbitrary<infer T> ? T : never): void {
    const shelves: Shelves = new Map(
      slotIds.map((id) => [id, [1, 2, 3, 5, 8, 13].map((n) => anEpisode(id, n))]),
    );
    const last = new Map<string, number>();
    let schedule = simplified(first, order);
    let now = Date.UTC(2026, 2, 6);
    let cursors: Cursors = {};
    for (const step of steps as Step[]) {
      switch (step.kind) {
        case 'media':
          shelves.set(
            step.slot,
            step.numbers.map((n) => anEpisode(step.slot, n)),
          );
          break;
        case 'schedule': {
          schedule = simplified(step.schedule, order);
          break;
        }
        case 'wait': {
          const output = plan(input(now, now + step.ms));
          cursors = JSON.parse(JSON.stringify(output.cursors));
          now = output.items.at(-1)!.stop;
          follow(output.items);
          const kept = new Set(slotsOf(schedule).map(({ id }) => id));
          for (const id of last.keys()) if (!kept.has(id)) last.delete(id);
        }
      }
    }

    function input(from: number, to: number) {
      const collections = new Map([
        ...shelves,
        ...names.map((name): [string, PlanMedia[]] => [name, filler(name)]),
      ]);
      return { zone, seed: 1, from, to, cursors, collections, schedule };
    }

    function follow(items: readonly PlanItem[]): void {
      for (const item of items) {
        if (item.kind !== 'program' || item.in > 0) continue;
        const { slot, media } = item;
        const numbers = shelves.get(slot)!.map(({ episode }) => episode!);
        const before = last.get(slot) ?? -1;
        const expected = Math.min(...numbers.filter((n) => n > before));
        const next = Number.isFinite(expected) ? expected : Math.min(...numbers);
        expect(media).toBe(`${slot}-${next}`);
        last.set(slot, next);
      }
    }
  }

  type Step =
    | { kind: 'wait'; ms: number }
    | { kind: 'media'; slot: string; numbers: number[] }
    | { kind: 'schedule'; schedule: Schedule };

  function filler(name: string): PlanMedia[] {
    return name === 'N' ? [] : [1, 2, 3].map((n) => ({ id: `${name}${n}`, durationMs: n * 97_000 }));
  }

  /** The same schedule, but every slot plays its own collection, and no media is too long for its duration. */
  function simplified(schedule: Schedule, order: string): Schedule {
    const own = (slot: Slot): Slot => {
      const { filler: rolls = {} } = slot;
      const kept = Object.entries(rolls).map(([kind, roll]) => [
        kind,
        roll.from === 'P' ? { ...roll, from: 'F' } : roll,
      ]);
      const plain = { ...slot, play: slot.id, order, filler: Object.fromEntries(kept) } as Slot;
      return plain.mode === 'duration' && plain.duration === 'PT30M' ? { ...plain, duration: 'PT9H' } : plain;
    };
    return {
      slots: schedule.slots.map(own),
      ...(schedule.days && {
        days: schedule.days.map(({ when, slots }) => ({ when, slots: slots.map(own) })),
      }),
    };
  }

  function slotsOf({ slots, days = [] }: Schedule): Slot[] {
    return [...slots, ...days.flatMap((rule) => rule.slots)];
  }
});
