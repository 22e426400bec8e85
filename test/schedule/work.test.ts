import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plan } from '../../src/schedule/plan.ts';
import {
  orders,
  type PlanMedia,
  type PlanOutput,
  type Schedule,
  type Slot,
} from '../../src/schedule/types.ts';
import { WorkCounter } from './counted-work.ts';
import { hour, inputOf, type Library, media, minute, planned, slot } from './planning.ts';
import { aChannel } from './schedules.mjs';

// No schedule may keep the planner busy for long, however contradictory it is. What is counted is work, not time.

const day = 24 * hour;
const second = 1000;
const many = 20_000;
const counter = new WorkCounter();
const seed = Number(process.env.PLAN_SEED ?? Date.now() % 1e9);

beforeAll(() => counter.start());
afterAll(() => counter.stop());

const clips = (
  count: number,
  ms: number | ((i: number) => number),
  prefix = 'm',
  more = (_: number): object => ({}),
) =>
  Array.from(
    { length: count },
    (_, i): PlanMedia => ({
      id: `${prefix}${i}`,
      durationMs: typeof ms === 'number' ? ms : ms(i),
      title: `Title ${i}`,
      show: `Show ${i % 30}`,
      season: 1 + (i % 5),
      episode: i,
      aired: new Date(((i * 104_729) % many) * day).toISOString().slice(0, 10),
      ...more(i),
    }),
  );
const times = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i));
const one = (id: string, play: string, more: object = {}) => slot(id, play, { mode: 'one', ...more });
/** A minute of programme a day, and filler for the rest of it. */
const gap = (order: string, from = 'F') => [
  one('s', 'A', { start: '00:00', filler: { tail: { from, order } } }),
];

interface Case {
  slots: Slot[];
  collections: Library;
  days?: Schedule['days'];
}

const minutes = { A: clips(10, minute) };

const cases: Record<string, Case> = {
  'many slots without anything to play': {
    slots: times(500, (i) => one(`s${i}`, i === 250 ? 'A' : 'N')),
    collections: { A: clips(10, second), N: [] },
  },
  'pre-rolls that are longer than the slot': {
    slots: [
      slot('s', 'A', {
        mode: 'duration',
        duration: 'PT2H',
        rest: 'next',
        filler: { pre: { from: 'F', duration: 'PT2H' } },
      }),
    ],
    collections: { A: clips(10, second), F: clips(1000, second, 'f') },
  },
  ...Object.fromEntries(
    orders.flatMap((order) => [
      [
        `a gap for which one of many clips is short enough, ${order}`,
        {
          slots: gap(order),
          collections: { ...minutes, F: clips(many, (i) => (i === many - 7 ? second : 2 * day), 'f') },
        },
      ],
      [
        `a gap for which a few of many clips are short enough, ${order}`,
        {
          slots: gap(order),
          collections: { ...minutes, F: clips(many, (i) => (i % 100 === 0 ? second : 2 * day), 'f') },
        },
      ],
      [
        `many slots that play one large collection, ${order}`,
        { slots: times(500, (i) => one(`s${i}`, 'A', { order })), collections: { A: clips(many, minute) } },
      ],
      [
        `one media that is listed many times, ${order}`,
        {
          slots: [slot('s', 'A', { order })],
          collections: { A: [...times(many, () => media('same', 1)), media('other', 1)] },
        },
      ],
      [
        `clips of a second all day, ${order}`,
        { slots: [slot('s', 'A', { order })], collections: { A: clips(1000, second) } },
      ],
    ]),
  ),
  'a shuffle that has to look for the shortest clip again and again': {
    slots: [slot('s', 'A', { mode: 'duration', duration: 'PT7S', filler: { tail: { from: 'F' } } })],
    collections: { A: clips(10, 4 * second), F: clips(many, (i) => (i === 0 ? second : 2 * second), 'f') },
  },
  'a show for each media': {
    slots: gap('rotate'),
    collections: {
      ...minutes,
      F: clips(
        many,
        (i) => (i % 50 === 0 ? second : 2 * day),
        'f',
        (i) => ({ show: `${i}` }),
      ),
    },
  },
  'a long playlist of which one member fits': {
    slots: gap('custom', 'P'),
    collections: {
      ...minutes,
      S: clips(10, second, 's'),
      L: clips(10, 2 * day, 'l'),
      P: {
        playlist: times(500, (i) => ({ play: i === 400 ? 'S' : 'L', order: 'custom' as const, count: 1 })),
      },
    },
  },
  'many slots that play a long playlist': {
    slots: times(500, (i) => one(`s${i}`, 'P')),
    collections: {
      ...minutes,
      P: { playlist: times(500, (i) => ({ play: 'A', order: orders[i % orders.length]!, count: 1 })) },
    },
  },
  'rules for days that never come': {
    slots: [slot('s', 'A')],
    days: times(100, () => ({ when: { months: [2], monthdays: [30, 31] }, slots: [slot('never', 'A')] })),
    collections: minutes,
  },
  'a mid-roll in each second of a year': {
    slots: [one('s', 'A', { filler: { mid: { from: 'F', every: 'PT1S', count: 100 } } })],
    collections: { A: clips(2, 366 * day), F: clips(100, second, 'f') },
  },
  'a hundred thousand chapters': {
    slots: [one('s', 'A', { filler: { mid: { from: 'F' } } })],
    collections: {
      A: clips(2, 3 * day, 'm', () => ({ chaptersMs: times(100_000, (i) => i * 2000) })),
      F: clips(100, second, 'f'),
    },
  },
  'a year of pre-rolls': {
    slots: [one('s', 'A', { filler: { pre: { from: 'F', duration: 'P366D' } } })],
    collections: { A: clips(2, hour), F: clips(100, second, 'f') },
  },
  'titles that look like parts for long': {
    slots: [slot('s', 'A', { order: 'shuffle', parts: 'together' })],
    collections: {
      A: clips(5, 10 * minute, 'm', (i) => ({
        title: `Part ${' '.repeat(50_000)}x${' –'.repeat(25_000)}${i} (2`,
      })),
    },
  },
  'many multi-part episodes': {
    slots: [slot('s', 'A', { order: 'shuffle', parts: 'together' })],
    collections: { A: clips(many, hour, 'm', (i) => ({ title: `Title ${i >> 1} (${1 + (i % 2)})` })) },
  },
  'durations that are all too short': {
    slots: times(500, (i) => slot(`s${i}`, 'A', { mode: 'duration', duration: `PT${i + 1}S` })),
    collections: { A: clips(many, (i) => 600_000 + i) },
  },
  'floods that all begin at once': {
    slots: times(500, (i) => slot(`s${i}`, 'A', { start: '03:00' })),
    collections: { A: clips(100, second) },
  },
};

describe('the work of a day', () => {
  // A day may have 86,400 items, and a collection 20,000 media: each of them may be touched a few hundred times, but
  // not each item for each media, which would be more than a thousand million.
  it.each(Object.entries(cases))('is bounded: %s', async (_, { slots, collections, days }) => {
    let output: PlanOutput | undefined;
    const window = { to: day, ...(days === undefined ? {} : { days }) };
    const work = await counter.count(() => {
      output = plan(inputOf(slots, collections, window));
    });
    expect(output!.items.at(-1)!.stop).toBeGreaterThanOrEqual(day);
    expect(work).toBeLessThan(100_000_000);
  });

  it('is bounded by the items, for any schedules', async () => {
    const batches = Math.ceil(10 * Number(process.env.PLAN_RUNS ?? 1));
    for (let batch = 0; batch < batches; batch++) {
      const channels = fc.sample(aChannel, { numRuns: 100, seed: seed + batch });
      let items = 0;
      const work = await counter.count(() => {
        for (const channel of channels) items += planned(channel, { to: channel.from + day }).items.length;
      });
      expect(work / (items + 100 * channels.length), `seed ${seed + batch}`).toBeLessThan(1000);
    }
  });

  it('does not grow with the library, but for one look at it', async () => {
    const workOf = (count: number, order: string) =>
      counter.count(() => {
        plan(inputOf([slot('s', 'A', { order })], { A: clips(count, hour / 2) }, { to: day }));
      });
    for (const order of orders) {
      const work = await workOf(2 * many, order);
      expect(work - (await workOf(many, order))).toBeLessThan(60 * many);
    }
  });
});
