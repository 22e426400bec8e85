import { describe, expect, it } from 'vitest';
import { InvalidError } from '../../src/errors.ts';
import { plan } from '../../src/schedule/plan.ts';
import {
  aired,
  hour,
  hours,
  inputOf,
  type Library,
  media,
  minute,
  programs,
  shown,
  slot,
} from './planning.ts';

describe('plan', () => {
  it('places a media of no length never, reports it once, and does not stand still', () => {
    const collections = { A: [media('zero', 0), media('a'), media('less', -5), media('nan', Number.NaN)] };
    const found = plan(inputOf([slot('s', 'A')], collections, { to: 3 * hour }));
    expect(aired(found)).toEqual(['a', 'a', 'a']);
    expect(found.problems.map(({ code, media }) => [code, media])).toEqual([
      ['never-fits', 'zero'],
      ['never-fits', 'less'],
      ['never-fits', 'nan'],
    ]);
  });

  it('is offline when nothing has a length', () => {
    const found = plan(inputOf([slot('s', 'A')], { A: [media('zero', 0)] }, { to: hour }));
    expect(found.items).toEqual([{ kind: 'offline', start: 0, stop: hour }]);
    expect(found.problems).toMatchObject([{ code: 'never-fits', slot: 's', media: 'zero' }]);
    expect(found.cursors).toMatchObject({ guide: 0, feeds: [] });
  });

  it('goes on where it was when an empty collection is filled', () => {
    const slots = [slot('a', 'A', { mode: 'multiple', count: 2 }), slot('b', 'B', { mode: 'one' })];
    const full = { A: hours('a1', 'a2', 'a3'), B: hours('b1') };
    const first = plan(inputOf(slots, full, { to: hour }));
    const dark = plan(inputOf(slots, { A: [], B: [] }, { from: hour, to: 2 * hour, cursors: first.cursors }));
    expect(dark.items).toEqual([{ kind: 'offline', start: hour, stop: 2 * hour }]);
    const next = plan(inputOf(slots, full, { from: 2 * hour, to: 5 * hour, cursors: dark.cursors }));
    expect([...aired(first), ...aired(next)]).toEqual(['a1', 'a2', 'b1', 'a3']);
  });

  it('reports what a flood never lets through', () => {
    const slots = [
      slot('before', 'A', { mode: 'one' }),
      slot('flood', 'A'),
      slot('after', 'A', { mode: 'one' }),
    ];
    const found = plan(inputOf(slots, { A: hours('a') }, { to: 5 * hour }));
    expect(programs(found).map((item) => item.slot)).toEqual(['before', 'flood', 'flood', 'flood', 'flood']);
    expect(found.problems.map(({ code, slot }) => [code, slot])).toEqual([
      ['unreachable-slot', 'before'],
      ['unreachable-slot', 'after'],
    ]);
  });

  it('reports the same in the next plan', () => {
    const slots = [slot('first', 'A'), slot('second', 'A')];
    const found = plan(inputOf(slots, { A: hours('a') }, { to: hour }));
    const next = plan(
      inputOf(slots, { A: hours('a') }, { from: hour, to: 2 * hour, cursors: found.cursors }),
    );
    expect(found.problems).toMatchObject([{ code: 'unreachable-slot', slot: 'second' }]);
    expect(next.problems).toEqual(found.problems);
  });

  it('lets an empty flood through to what follows it', () => {
    const slots = [slot('empty', 'N'), slot('one', 'A', { mode: 'one' })];
    const found = plan(inputOf(slots, { A: hours('a'), N: [] }, { to: 2 * hour }));
    expect(aired(found)).toEqual(['a', 'a']);
    expect(found.problems).toMatchObject([{ code: 'empty-collection', slot: 'empty' }]);
  });

  it('numbers guide entries on from one plan to the next', () => {
    const first = plan(inputOf([slot('s', 'A')], { A: hours('a') }, { to: 3 * hour }));
    const next = plan(
      inputOf([slot('s', 'A')], { A: hours('a') }, { from: 3 * hour, to: 5 * hour, cursors: first.cursors }),
    );
    expect(programs(first).map((item) => item.guide)).toEqual([1, 2, 3]);
    expect(programs(next).map((item) => item.guide)).toEqual([4, 5]);
  });

  it('refuses collections that are not there', () => {
    const slots = [slot('s', 'A', { filler: { tail: { from: 'F' } } })];
    const days = [{ when: {}, slots: [slot('s', 'D')] }];
    const P = { playlist: [{ play: 'Q', order: 'custom' as const, count: 1 }] };
    const nested = { ...P, playlist: [{ play: 'P', order: 'custom' as const, count: 1 }] };
    const planOf = (collections: Library) => () => plan(inputOf(slots, collections, { to: hour, days }));
    expect(planOf({ A: [], F: [] })).toThrow(InvalidError);
    expect(planOf({})).toThrow(/collection "A"\n.*collection "F"\n.*collection "D"/);
    expect(planOf({ A: P, D: [], F: [] })).toThrow('playlist "A": there is no collection "Q"');
    expect(planOf({ A: nested, P, D: [], F: [], Q: [] })).toThrow('playlist "A": "P" is a playlist too');
    expect(planOf({ A: [], D: [], F: [] })).not.toThrow();
  });

  it.each([
    [
      'of an older version',
      { at: { slot: 's', played: 1, following: [] }, guide: 7, slots: [{ slot: 's' }] },
    ],
    ['of a newer version', { form: 3, guide: 7, turn: 'what' }],
    ['that are broken', { form: 2, guide: 7, feeds: [{ order: 'shuffle' }] }],
  ])('begins anew with cursors %s, but gives no guide number twice', (_, cursors) => {
    const found = plan(inputOf([slot('s', 'A')], { A: hours('a', 'b') }, { to: hour, cursors }));
    expect(aired(found)).toEqual(['a']);
    expect(found.items[0]!.guide).toBe(8);
  });

  it('begins anew with cursors that say nothing of use', () => {
    const found = plan(
      inputOf([slot('s', 'A')], { A: hours('a', 'b') }, { to: hour, cursors: { guide: 'x' } }),
    );
    expect(found.items[0]).toMatchObject({ media: 'a', guide: 1 });
  });

  it('goes on behind what reaches beyond its window, wherever the next window begins', () => {
    const slots = [slot('s', 'A')];
    const collections = { A: hours('a', 'b') };
    const { cursors } = plan(inputOf(slots, collections, { to: 90 * minute }));
    for (const from of [90 * minute, 100 * minute, 2 * hour]) {
      const next = plan(inputOf(slots, collections, { from, to: 3 * hour, cursors }));
      expect(shown(next)).toBe('a2:00');
    }
    const within = plan(inputOf(slots, collections, { from: 90 * minute, to: 2 * hour, cursors }));
    expect(within).toEqual({ items: [], cursors, problems: [] });
  });

  it('begins where it is told to, when that is later or earlier than where it was', () => {
    const slots = [slot('s', 'A', { mode: 'duration', duration: 'PT3H' }), slot('t', 'B', { mode: 'one' })];
    const collections = { A: hours('a1', 'a2', 'a3', 'a4'), B: hours('b') };
    const { cursors } = plan(inputOf(slots, collections, { from: 10 * hour, to: 11 * hour, cursors: {} }));
    const later = plan(inputOf(slots, collections, { from: 40 * hour, to: 42 * hour, cursors }));
    expect(shown(later)).toBe('b40:00 a241:00');
    const earlier = plan(inputOf(slots, collections, { from: 0, to: 5 * hour, cursors }));
    expect(shown(earlier)).toBe('a20:00 a31:00 a42:00 b3:00 a14:00');
  });

  it('takes slots and media by any name', () => {
    const slots = ['__proto__', 'constructor', '7'].map((id) => slot(id, 'A', { mode: 'one' }));
    const collections = { A: hours('__proto__', '0:x', '1') };
    const whole = plan(inputOf(slots, collections, { to: 12 * hour }));
    const first = plan(inputOf(slots, collections, { to: 5 * hour }));
    const cursors = JSON.parse(JSON.stringify(first.cursors));
    const rest = plan(inputOf(slots, collections, { from: 5 * hour, to: 12 * hour, cursors }));
    expect([...first.items, ...rest.items]).toEqual(whole.items);
  });

  const day = 24 * hour;
  const library = Array.from({ length: 20_000 }, (_, i) =>
    media(`media-${(i * 7919) % 20_000}`, 45, {
      title: `Episode ${i}`,
      show: `Show ${i % 300}`,
      aired: new Date(((i * 104_729) % 20_000) * day).toISOString().slice(0, 10),
    }),
  );
  const clips = library.map((clip) => ({ ...clip, durationMs: minute / 2 }));

  it.each(['chronological', 'season-episode', 'shuffle', 'random', 'custom'])(
    'plans 14 days of %s from 20,000 media in time',
    (order) => {
      for (const collection of [library, clips]) {
        const found = plan(inputOf([slot('s', 'A', { order })], { A: collection }, { to: 14 * day }));
        expect(found.items.at(-1)!.stop).toBe(14 * day);
        expect(JSON.stringify(found.cursors).length).toBeLessThan(1100);
      }
    },
  );

  it('plans 14 days of rotate from 20,000 media in time, and remembers no more than each show', () => {
    const found = plan(inputOf([slot('s', 'A', { order: 'rotate' })], { A: clips }, { to: 14 * day }));
    expect(found.items.at(-1)!.stop).toBe(14 * day);
    expect(JSON.stringify(found.cursors).length).toBeLessThan(300 * 200);
  });

  it('airs nothing shorter than a second: a day cannot have more items than seconds', () => {
    const collections = {
      A: [media('blink', 0, { durationMs: 999 })],
      B: [media('tick', 0, { durationMs: 1000 })],
    };
    const dark = plan(inputOf([slot('s', 'A')], collections, { to: day }));
    expect(dark.items).toHaveLength(1);
    expect(dark.problems).toMatchObject([{ code: 'never-fits', slot: 's', media: 'blink' }]);
    expect(plan(inputOf([slot('s', 'B')], collections, { to: day })).items).toHaveLength(86_400);
  });
});
