import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plan } from '../../src/schedule/plan.ts';
import { orders, type PlanItem, type PlanMedia, type Slot, slotSchema } from '../../src/schedule/types.ts';
import { Channel, hour, inputOf, type Media, minute, programs } from './planning.ts';

// The rules of the scheduling contract that hold for any schedule at all.

const day = 24 * hour;

const aPlanMedia = (id: string): fc.Arbitrary<PlanMedia> =>
  fc
    .record(
      {
        durationMs: fc.oneof(
          { weight: 9, arbitrary: fc.integer({ min: minute, max: 4 * hour }) },
          { weight: 1, arbitrary: fc.integer({ min: -hour, max: 0 }) },
        ),
        aired: fc.constantFrom('1999-12-31', '2000-01-01', '2010-06-15'),
        show: fc.constantFrom('A', 'B'),
        season: fc.nat(2),
        episode: fc.nat(3),
        title: fc.constantFrom('x', 'y'),
      },
      { requiredKeys: ['durationMs'] },
    )
    .map((rest) => ({ ...rest, id }));

/** The same media may be listed twice. */
const aCollection = fc
  .tuple(...[...'abcdefgh'].map(aPlanMedia))
  .chain((all) => fc.array(fc.constantFrom(...all), { maxLength: 10 }));

const aLibrary: fc.Arbitrary<Media> = fc.record({ A: aCollection, B: aCollection, C: aCollection });

const aSlot = (id: string): fc.Arbitrary<Slot> =>
  fc
    .tuple(
      fc.record({ play: fc.constantFrom('A', 'B', 'C'), order: fc.constantFrom(...orders) }),
      fc.oneof(
        { weight: 1, arbitrary: fc.constant({ mode: 'flood' }) },
        { weight: 2, arbitrary: fc.constant({ mode: 'one' }) },
        {
          weight: 2,
          arbitrary: fc.integer({ min: 1, max: 6 }).map((count) => ({ mode: 'multiple', count })),
        },
      ),
    )
    .map(([base, mode]) => slotSchema.parse({ id, ...base, ...mode }));

const someSlots = fc
  .integer({ min: 1, max: 5 })
  .chain((n) => fc.tuple(...[...'12345'].slice(0, n).map(aSlot)));

const aChannel = fc.record({ slots: someSlots, library: aLibrary, seed: fc.integer() });

const aSpan = fc.integer({ min: 1, max: 3 * day });

function planOf({ slots, library, seed }: { slots: Slot[]; library: Media; seed: number }, to: number) {
  return plan(inputOf(slots, library, { to, seed }));
}

/** An offline stretch that was planned in two windows is two items. */
function joined(items: readonly PlanItem[]): PlanItem[] {
  const result: PlanItem[] = [];
  for (const item of items) {
    const last = result.at(-1);
    if (last?.kind === 'offline' && item.kind === 'offline')
      result[result.length - 1] = { ...last, stop: item.stop };
    else result.push(item);
  }
  return result;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze);
  return value;
}

describe('for any schedule', () => {
  it('there are no holes, and every item is longer than zero (rule 1)', () => {
    fc.assert(
      fc.property(aChannel, aSpan, (channel, to) => {
        const { items } = planOf(channel, to);
        let end = 0;
        for (const item of items) {
          expect(item.start).toBe(end);
          expect(item.stop).toBeGreaterThan(item.start);
          end = item.stop;
        }
        expect(end).toBeGreaterThanOrEqual(to);
      }),
    );
  });

  it('an item starts inside the window, and only the last ends beyond it (rule 2)', () => {
    fc.assert(
      fc.property(aChannel, aSpan, (channel, to) => {
        const { items } = planOf(channel, to);
        for (const item of items) expect(item.start).toBeLessThan(to);
        for (const item of items.slice(0, -1)) expect(item.stop).toBeLessThan(to);
        for (const item of items) if (item.kind === 'offline') expect(item.stop).toBe(to);
      }),
    );
  });

  it('a window planned in parts equals the window planned at once (rule 3)', () => {
    fc.assert(
      fc.property(
        aChannel,
        fc.array(aSpan, { minLength: 2, maxLength: 6 }),
        ({ slots, library, seed }, cuts) => {
          const ends = cuts.toSorted((a, b) => a - b);
          const whole = plan(inputOf(slots, library, { to: ends.at(-1)!, seed }));
          const channel = new Channel(slots, library, seed);
          const parts = ends.flatMap((to) => channel.extend(to).items);
          expect(joined(parts)).toEqual(joined(whole.items));
          expect(channel.cursors).toEqual(JSON.parse(JSON.stringify(whole.cursors)));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('the same input gives the same output, byte for byte, and is left as it was', () => {
    fc.assert(
      fc.property(aChannel, aSpan, ({ slots, library, seed }, to) => {
        const { cursors } = plan(inputOf(slots, library, { to, seed }));
        const input = inputOf(deepFreeze(slots), deepFreeze(library), {
          from: to,
          to: 2 * to,
          seed,
          cursors,
        });
        deepFreeze(input.cursors);
        expect(JSON.stringify(plan(input))).toBe(JSON.stringify(plan(structuredClone(input))));
      }),
    );
  });

  it('no item is longer than its media', () => {
    fc.assert(
      fc.property(aChannel, aSpan, (channel, to) => {
        const lengths = new Map(
          Object.entries(channel.library).map(([name, list]) => [
            name,
            new Map(list.map((m) => [m.id, m.durationMs])),
          ]),
        );
        const plays = new Map(channel.slots.map((slot) => [slot.id, slot.play]));
        for (const item of programs(planOf(channel, to))) {
          expect(item.in).toBe(0);
          expect(item.out - item.in).toBe(item.stop - item.start);
          expect(item.out).toBeLessThanOrEqual(lengths.get(plays.get(item.slot)!)!.get(item.media)!);
        }
      }),
    );
  });

  it('every step advances: something plays as long as anything can, and each problem is told once (rule 11)', () => {
    fc.assert(
      fc.property(aChannel, aSpan, (channel, to) => {
        const { items, problems } = planOf(channel, to);
        const playable = channel.slots.some(({ play }) =>
          channel.library[play]!.some((m) => m.durationMs > 0),
        );
        expect(items.map((item) => item.kind).filter((kind) => kind === 'offline')).toHaveLength(
          playable ? 0 : 1,
        );
        expect(items.length === 1 || playable).toBe(true);
        const told = problems.map(({ code, slot, media }) => `${code} ${slot} ${media}`);
        expect(new Set(told).size).toBe(told.length);
        for (const { id, play } of channel.slots) {
          expect(told.includes(`empty-collection ${id} undefined`)).toBe(channel.library[play]!.length === 0);
          for (const m of channel.library[play]!) {
            expect(told.includes(`never-fits ${id} ${m.id}`)).toBe(m.durationMs <= 0);
          }
        }
      }),
    );
  });

  it('slots take turns of their own length', () => {
    fc.assert(
      fc.property(aChannel, aSpan, (channel, to) => {
        const able = channel.slots.filter(({ play }) => channel.library[play]!.some((m) => m.durationMs > 0));
        const expected = programs(planOf(channel, to)).map((item) => item.slot);
        const found: string[] = [];
        while (able.length > 0 && found.length < expected.length) {
          for (const slot of able) {
            const turns = {
              flood: expected.length,
              one: 1,
              multiple: slot.mode === 'multiple' ? slot.count : 0,
            };
            for (let i = 0; i < turns[slot.mode]; i++) found.push(slot.id);
          }
        }
        expect(expected).toEqual(found.slice(0, expected.length));
      }),
    );
  });

  it('a shuffle plays every media once a cycle, and a cycle does not begin as the last one ended', () => {
    fc.assert(
      fc.property(aCollection, fc.integer(), fc.integer({ min: 1, max: 60 }), (collection, seed, count) => {
        const media = [...new Map(collection.map((m) => [m.id, m])).values()].filter((m) => m.durationMs > 0);
        fc.pre(media.length > 0);
        const slots = [slotSchema.parse({ id: 's', play: 'A', order: 'shuffle', mode: 'flood' })];
        const found = new Channel(slots, { A: media }, seed).play(count);
        for (let i = 0; i < count; i += media.length) {
          const cycle = found.slice(i, i + media.length);
          expect(new Set(cycle).size).toBe(cycle.length);
          if (i > 0 && media.length > 1) expect(found[i]).not.toBe(found[i - 1]);
        }
      }),
    );
  });
});

describe('for any change of a collection (rule 9)', () => {
  const ids = [...'abcdefghijkl'];
  const pool = fc.tuple(...ids.map(aPlanMedia)).map((all) => all.map((m) => ({ ...m, durationMs: hour })));
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
    fc.assert(
      fc.property(aChange, ({ before, added, removed, count, all }) => {
        const sorted = channelOf('chronological', all).play(all.length);
        const after = all.filter((m) => (before.includes(m) || added.includes(m)) && !removed.includes(m.id));
        fc.pre(after.length > 0);
        const channel = channelOf('chronological', before);
        const last = sorted.indexOf(channel.play(count).at(-1)!);
        channel.collections = { A: after };
        const round = [...sorted.slice(last + 1), ...sorted.slice(0, last + 1)];
        const expected = round.filter((id) => after.some((m) => m.id === id));
        expect(channel.play(expected.length)).toEqual(expected);
      }),
    );
  });

  it('custom goes on with what followed the last played, when media are removed', () => {
    fc.assert(
      fc.property(aChange, ({ before, removed, count }) => {
        const list = before.slice(0, 8);
        const after = list.filter((m) => !removed.includes(m.id));
        fc.pre(after.length > 0);
        const channel = channelOf('custom', list);
        const last = list.findIndex((m) => m.id === channel.play(count).at(-1));
        channel.collections = { A: after };
        const expected = [...list.slice(last + 1), ...list.slice(0, last + 1)].filter((m) =>
          after.includes(m),
        );
        expect(channel.play(expected.length)).toEqual(expected.map((m) => m.id));
      }),
    );
  });

  it('custom goes on behind the last played, when the list is put into another order', () => {
    fc.assert(
      fc.property(aChange, fc.nat(11), ({ before, count, all }, by) => {
        const channel = channelOf('custom', before);
        const last = channel.play(count).at(-1);
        const after = [...all.slice(by), ...all.slice(0, by)];
        channel.collections = { A: after };
        const index = after.findIndex((m) => m.id === last);
        expect(channel.play(1)).toEqual([after[(index + 1) % after.length]!.id]);
      }),
    );
  });

  it('shuffle finishes its cycle with what is left of it, in the same order, and replays nothing', () => {
    fc.assert(
      fc.property(aChange, ({ before, added, removed, count, seed }) => {
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
      }),
    );
  });
});
