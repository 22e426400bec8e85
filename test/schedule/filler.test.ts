import { describe, expect, it } from 'vitest';
import { plan } from '../../src/schedule/plan.ts';
import type { Filler, PlanItem, PlanMedia } from '../../src/schedule/types.ts';
import { hour, inputOf, type Library, media, minute, shown, slot } from './planning.ts';

const library = {
  A: [media('a', 50)],
  F: [media('f', 2), media('g', 3)],
  N: [],
};

function planOf(filler: Filler, more: object = {}, collections: Library = library, to = hour - 1) {
  const orders = Object.fromEntries(
    Object.entries(filler).map(([kind, roll]) => [kind, { order: 'custom', ...roll }]),
  );
  return plan(inputOf([slot('s', 'A', { mode: 'one', filler: orders, ...more })], collections, { to }));
}

const kinds = (items: readonly PlanItem[]) =>
  items.map((item) => (item.kind === 'filler' ? item.filler : item.kind));

describe('filler', () => {
  it('stands around a programme in its order, and ends with it', () => {
    const A = [media('a', 20, { chaptersMs: [5 * minute, 10 * minute] })];
    const filler = { pre: { from: 'F' }, mid: { from: 'F' }, post: { from: 'F', count: 2 } };
    const found = planOf(filler, {}, { ...library, A }, 1);
    expect(shown(found)).toBe('f0:00 a0:02 f0:07 a0:09 g0:14 a0:17 f0:27 g0:29');
    expect(kinds(found.items)).toEqual([
      'pre',
      'program',
      'mid',
      'program',
      'mid',
      'program',
      'post',
      'post',
    ]);
    expect(new Set(found.items.map((item) => item.guide))).toEqual(new Set([1]));
  });

  it('of each kind goes on where it was at the next programme', () => {
    const found = planOf({ pre: { from: 'F' }, post: { from: 'F' } }, {}, library, 150 * minute);
    expect(shown(found)).toBe('f0:00 a0:02 f0:52 g0:54 a0:57 g1:47 f1:50 a1:52 f2:42');
  });

  it('is shuffled unless an order is given', () => {
    const F = Array.from({ length: 12 }, (_, i) => media(`f${i}`, 1));
    const slots = [slot('s', 'A', { mode: 'one', filler: { pre: { from: 'F', count: 12 } } })];
    const found = plan(inputOf(slots, { ...library, F }, { to: 1 }));
    const order = found.items.slice(0, 12).map((item) => (item.kind === 'offline' ? '' : item.media));
    expect(new Set(order).size).toBe(12);
    expect(order).not.toEqual(F.map(({ id }) => id));
    expect(found.items[0]).toMatchObject({ why: { order: 'shuffle', cycle: 1, position: 1 } });
  });

  it('in an amount of time is what fits into it, in its order', () => {
    const F = [media('f', 3), media('long', 9), media('g', 4), media('h', 2)];
    expect(shown(planOf({ post: { from: 'F', duration: 'PT8M' } }, {}, { ...library, F }, 1))).toBe(
      'a0:00 f0:50 g0:53',
    );
    expect(shown(planOf({ pre: { from: 'F', duration: 'PT1M' } }, {}, { ...library, F }, 1))).toBe('a0:00');
  });

  it('from an empty collection is none, and is reported', () => {
    const found = planOf({ pre: { from: 'N' }, post: { from: 'F' } }, {}, library, 1);
    expect(shown(found)).toBe('a0:00 f0:50');
    expect(found.problems).toEqual([
      { code: 'empty-collection', slot: 's', filler: 'pre', message: 'collection "N" is empty' },
    ]);
  });

  it('counts when a programme has to end by a fixed start, and what did not fit has not been played', () => {
    const slots = [
      slot('s', 'A', { filler: { pre: { from: 'F', order: 'custom' } } }),
      slot('z', 'A', { mode: 'one', start: '01:45' }),
    ];
    // Twice 50 minutes would fit into 104, but not with 2 and 3 minutes before them.
    const early = [slots[0]!, { ...slots[1]!, start: '01:44' }];
    expect(shown(plan(inputOf(slots, library, { to: 2 * hour })))).toBe('f0:00 a0:02 g0:52 a0:55 a1:45');
    const found = plan(inputOf(early, library, { to: 3 * hour }));
    expect(shown(found)).toBe('f0:00 a0:02 offline0:52 a1:44 g2:34 a2:37');
  });

  it('gives way where a whole duration has no room for it', () => {
    const filler = { pre: { from: 'F', count: 2 }, post: { from: 'F' } };
    const found = planOf(filler, { mode: 'duration', duration: 'PT53M' }, library, 1);
    expect(shown(found)).toBe('f0:00 a0:02');
    const bare = planOf(filler, { mode: 'duration', duration: 'PT51M' }, library, hour);
    expect(shown(bare)).toBe('a0:00 offline0:50 a0:51');
  });
});

describe('a mid-roll', () => {
  const at = (...chapters: number[]) => [media('a', 50, { chaptersMs: chapters.map((m) => m * minute) })];
  const starts = (A: PlanMedia[], mid: object = {}) =>
    shown(planOf({ mid: { from: 'F', ...mid } }, {}, { ...library, A }, 1));

  it('stands at each chapter, in whatever order they are given', () => {
    expect(starts(at(30, 10))).toBe('a0:00 f0:10 a0:12 g0:32 a0:35');
  });

  it('stands so often where there are no chapters', () => {
    expect(starts(at(), { every: 'PT20M' })).toBe('a0:00 f0:20 a0:22 g0:42 a0:45');
    expect(starts(at(), { every: 'PT25M' })).toBe('a0:00 f0:25 a0:27');
    expect(starts(at(10), { every: 'PT20M' })).toBe('a0:00 f0:10 a0:12');
  });

  it('stands at no end, and leaves no piece that is too short to be aired', () => {
    const A = [
      media('a', 50, {
        chaptersMs: [0, 500, 10 * minute, 10 * minute + 999, 50 * minute - 1, 50 * minute, 99 * minute],
      }),
    ];
    expect(starts(A)).toBe('a0:00 f0:10 a0:12');
  });

  it('interrupts nothing where there is nothing to play in between', () => {
    const found = planOf({ mid: { from: 'N' } }, {}, { ...library, A: at(10, 20) }, 1);
    expect(shown(found)).toBe('a0:00');
    expect(starts(at(10, 20), { duration: 'PT1M' })).toBe('a0:00');
  });

  it('stands at a chapter once, however often that is given', () => {
    expect(starts(at(30, 10, 10, 30, 30))).toBe('a0:00 f0:10 a0:12 g0:32 a0:35');
  });

  it('is a post-roll where nothing says where to break', () => {
    const found = planOf({ mid: { from: 'F', count: 2 }, post: { from: 'F' } }, {}, library, 1);
    expect(shown(found)).toBe('a0:00 f0:50 g0:52 f0:55');
    expect(kinds(found.items)).toEqual(['program', 'post', 'post', 'post']);
    expect(starts(at(), { every: 'PT50M' })).toBe('a0:00 f0:50');
  });
});

describe('a pad', () => {
  it('fills to the next multiple on the clock with what fits, then with fallback, then with nothing', () => {
    const G = { ...library, G: [media('h', 1.5)] };
    expect(shown(planOf({ post: { from: 'F', pad: 'PT1H' } }, {}, library, 1))).toBe(
      'a0:00 f0:50 g0:52 f0:55 g0:57',
    );
    const odd = { ...G, A: [media('a', 51)] };
    expect(shown(planOf({ post: { from: 'F', pad: 'PT1H' } }, {}, odd, 1))).toBe(
      'a0:00 f0:51 g0:53 f0:56 f0:58',
    );
    const rest = { ...G, F: [media('f', 4)] };
    const found = planOf({ post: { from: 'F', pad: 'PT1H' }, fallback: { from: 'G' } }, {}, rest, 1);
    expect(shown(found)).toBe('a0:00 f0:50 f0:54 h0:58 h0:59:30');
    expect(found.items.at(-1)).toMatchObject({ filler: 'fallback', in: 0, out: 30_000, stop: hour });
    const dark = planOf({ post: { from: 'F', pad: 'PT1H' } }, {}, rest, 1);
    expect(shown(dark)).toBe('a0:00 f0:50 f0:54 offline0:58');
    expect(dark.items.at(-1)).toEqual({
      kind: 'offline',
      start: 58 * minute,
      stop: hour,
      slot: 's',
      guide: 1,
    });
  });

  it('is none where a programme already ends there', () => {
    const A = [media('a', 30)];
    expect(shown(planOf({ post: { from: 'F', pad: 'PT30M' } }, {}, { ...library, A }, hour))).toBe(
      'a0:00 a0:30',
    );
  });

  it('comes behind the post-rolls that a mid-roll has become', () => {
    const found = planOf({ mid: { from: 'F' }, post: { from: 'F', pad: 'PT1H' } }, {}, library, 1);
    expect(shown(found)).toBe('a0:00 f0:50 f0:52 g0:54 f0:57 offline0:59');
  });

  it('ends with the time of its slot', () => {
    const slots = [
      slot('s', 'A', { filler: { post: { pad: 'PT1H' }, fallback: { from: 'F', order: 'custom' } } }),
      slot('z', 'A', { mode: 'one', start: '00:55' }),
    ];
    const found = plan(inputOf(slots, library, { to: 56 * minute }));
    expect(shown(found)).toBe('a0:00 f0:50 g0:52 a0:55');
    expect(found.items[2]).toMatchObject({ stop: 55 * minute });
  });

  it('ends when the clock goes back to a multiple of it', () => {
    const from = Date.parse('2026-11-01T00:55:00-05:00');
    const slots = [slot('s', 'A', { mode: 'one', filler: { post: { pad: 'PT30M' } } })];
    // From 1:45 until it is 1:00 again.
    const found = plan(inputOf(slots, library, { zone: 'America/Chicago', from, to: from + 1 }));
    expect(new Date(found.items.at(-1)!.stop).toISOString()).toBe('2026-11-01T07:00:00.000Z');
  });

  it('goes by the clock of the zone', () => {
    const slots = [slot('s', 'A', { mode: 'one', filler: { post: { pad: 'PT1H' } } })];
    const found = plan(inputOf(slots, library, { to: 1, zone: 'Asia/Kathmandu' }));
    // Midnight in UTC is 5:30 there.
    expect(found.items.at(-1)!.stop).toBe(90 * minute);
    const earlier = plan(inputOf(slots, library, { from: 30 * minute, to: hour, zone: 'Asia/Kathmandu' }));
    expect(earlier.items.at(-1)!.stop).toBe(90 * minute);
  });
});

describe('tail and fallback', () => {
  const fixed = slot('z', 'A', { mode: 'one', start: '01:00' });
  const fill = (filler: Filler, collections: Library) =>
    shown(plan(inputOf([slot('s', 'A', { filler }), fixed], collections, { to: hour }))).replace(
      'a0:00 ',
      '',
    );

  it('pass over what does not fit, until nothing does', () => {
    const F = [media('f', 5), media('long', 7), media('g', 3), media('h', 1)];
    const tail = { from: 'F', order: 'custom' } as const;
    expect(fill({ tail }, { ...library, F })).toBe('f0:50 g0:55 h0:58 h0:59');
    const odd = F.map((item) => ({ ...item, durationMs: item.durationMs + 1000 }));
    expect(fill({ tail }, { ...library, F: odd })).toBe('f0:50 g0:55:01 h0:58:02 offline0:59:03');
  });

  it.each(['custom', 'chronological', 'shuffle', 'random', 'rotate'] as const)(
    'find the only media that fits, in order %s',
    (order) => {
      const F = Array.from({ length: 300 }, (_, i) =>
        media(`f${i}`, i === 137 ? 5 : 30, { show: `${i % 7}` }),
      );
      expect(fill({ tail: { from: 'F', order } }, { ...library, F })).toBe('f1370:50 f1370:55');
    },
  );

  it('pass over in shuffle without playing anything twice in a cycle, and not twice running', () => {
    const F = Array.from({ length: 400 }, (_, i) => media(`f${i}`, 1 + (i % 40)));
    const slots = [slot('s', 'A', { mode: 'one', start: '00:00', filler: { tail: { from: 'F' } } })];
    const { items } = plan(inputOf(slots, { ...library, F }, { to: 20 * 24 * hour }));
    const tails = items.filter((item) => item.kind === 'filler');
    const seen = new Set(tails.map(({ media: id, why }) => `${id} ${why.cycle}`));
    expect(seen.size).toBe(tails.length);
    expect(Math.max(...tails.map(({ why }) => why.cycle!))).toBeGreaterThan(3);
    expect(tails.findIndex((item, i) => item.media === tails[i - 1]?.media)).toBe(-1);
  });

  it('have what did not fit one gap still due in the next: long filler has its turn in a shuffle', () => {
    const F = Array.from({ length: 12 }, (_, i) => media(`f${i + 1}`, i + 1));
    // A gap of half an hour each day.
    const slots = [
      slot('s', 'A', { mode: 'one', start: '00:00', filler: { tail: { from: 'F' } } }),
      slot('z', 'Z', { mode: 'one', start: '01:20' }),
    ];
    const collections = { ...library, F, Z: [media('z', 22 * 60 + 40)] };
    const played = new Map<string, number>();
    for (const item of plan(inputOf(slots, collections, { to: 365 * 24 * hour })).items) {
      if (item.kind === 'filler') played.set(item.media, (played.get(item.media) ?? 0) + 1);
    }
    // What is short is played once more where nothing else fits. All others have their turn as often.
    const long = F.slice(4).map(({ id }) => played.get(id)!);
    expect(Math.max(...long) - Math.min(...long)).toBeLessThanOrEqual(2);
    expect(Math.min(...played.values())).toBe(Math.min(...long));
  });

  it('are not yet there when a window ends amid a flood', () => {
    const slots = [slot('s', 'A', { filler: { tail: { from: 'F' } } }), { ...fixed, start: '05:00' }];
    expect(shown(plan(inputOf(slots, library, { to: 90 * minute })))).toBe('a0:00 a0:50');
  });

  it('go on amid a gap in the next window', () => {
    const slots = [slot('s', 'A', { filler: { tail: { from: 'F', order: 'custom' } } }), fixed];
    const first = plan(inputOf(slots, library, { to: 51 * minute }));
    expect(shown(first)).toBe('a0:00 f0:50');
    const window = { from: 52 * minute, to: hour + 1, cursors: first.cursors };
    expect(shown(plan(inputOf(slots, library, window)))).toBe('g0:52 f0:55 g0:57 a1:00');
    // The start has been moved: there is time for another programme.
    const later = [slots[0]!, { ...fixed, start: '01:50' }];
    expect(shown(plan(inputOf(later, library, { ...window, to: 2 * hour })))).toBe(
      'a0:52 g1:42 f1:45 g1:47 a1:50',
    );
    // There is no start any more.
    expect(shown(plan(inputOf([slots[0]!], library, window)))).toBe('a0:52');
  });
});
