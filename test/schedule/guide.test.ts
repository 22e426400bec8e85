import { describe, expect, it } from 'vitest';
import { plan } from '../../src/schedule/plan.ts';
import type { PlanOutput, Slot } from '../../src/schedule/types.ts';
import { hour, hours, inputOf, media, minute, slot } from './planning.ts';

const library = { A: hours('a'), B: [media('b', 45)], F: [media('f', 5)], N: [] };

/** "a1 f1 b2 offline-": what is on, with the number of its guide entry. */
function entries({ items }: PlanOutput): string {
  return items
    .map((item) => `${item.kind === 'offline' ? 'offline' : item.media}${item.guide ?? '-'}`)
    .join(' ');
}

function shown(slots: Slot[], to: number, more: object = {}): string {
  return entries(plan(inputOf(slots, library, { to, ...more })));
}

const tail = { tail: { from: 'F' } };

describe('a guide entry', () => {
  it('is a programme with the filler around it, and the tail that follows it', () => {
    const slots = [
      slot('a', 'A', { mode: 'one', filler: { pre: { from: 'F' }, post: { from: 'F', count: 2 } } }),
      slot('b', 'B', { mode: 'one', filler: tail }),
      slot('c', 'A', { mode: 'one', start: '02:15' }),
    ];
    expect(shown(slots, 3 * hour)).toBe('f1 a1 f1 f1 b2 f2 f2 f2 a3');
  });

  it('has what a pad fills, and what it leaves to nothing', () => {
    const slots = [slot('b', 'B', { mode: 'one', filler: { post: { pad: 'PT1H' } } })];
    expect(shown(slots, 90 * minute)).toBe('b1 offline1 b2 offline2');
  });

  it('ends where nothing is on', () => {
    expect(shown([slot('a', 'A', { mode: 'one', start: '01:00' })], 3 * hour)).toBe('offline- a1 offline-');
  });

  it('has the tail before it, where there is no programme before', () => {
    const slots = [slot('a', 'A', { mode: 'one', start: '00:10', filler: tail })];
    expect(shown(slots, 20 * minute)).toBe('f1 f1 a1');
    const first = plan(inputOf(slots, library, { to: 7 * minute }));
    const next = plan(inputOf(slots, library, { from: 10 * minute, to: hour, cursors: first.cursors }));
    expect([entries(first), entries(next)]).toEqual(['f1 f1', 'a1']);
  });

  it('is not that of a tail before it when nothing is on between them', () => {
    const slots = [slot('a', 'A', { mode: 'one', start: '00:12', filler: tail })];
    expect(shown(slots, 20 * minute)).toBe('f1 f1 offline- a2');
  });

  it('does not go on behind a jump in time', () => {
    const slots = [slot('a', 'A', { mode: 'one', start: '00:10', filler: tail })];
    const { cursors } = plan(inputOf(slots, library, { to: 2 * minute }));
    const window = { from: 24 * hour + 5 * minute, to: 24 * hour + 11 * minute, cursors };
    expect(entries(plan(inputOf(slots, library, window)))).toBe('f2 a2');
  });
});

describe('a slot that is hidden', () => {
  const hidden = { guide: { hide: true } };

  it('is in no entry, nor is its filler', () => {
    const slots = [
      slot('a', 'A', { mode: 'one', filler: { pre: { from: 'F' } }, ...hidden }),
      slot('b', 'A', { mode: 'one' }),
      slot('c', 'B', { mode: 'duration', duration: 'PT1H', filler: tail, ...hidden }),
    ];
    expect(shown(slots, 3 * hour + 5 * minute)).toBe('f- a- a1 b- f- f- f-');
  });

  it('stands between the entries of its neighbours', () => {
    const slots = [slot('a', 'A', { mode: 'one' }), slot('b', 'B', { mode: 'one', ...hidden })];
    expect(shown(slots, 3 * hour)).toBe('a1 b- a2 b-');
  });
});

describe('a slot with a title', () => {
  const titled = { guide: { title: 'Evening' } };

  it('is one entry for a turn, with all that is in it', () => {
    const slots = [
      slot('a', 'A', { mode: 'multiple', count: 3, filler: { post: { from: 'F' } }, ...titled }),
      slot('b', 'B', { mode: 'one' }),
    ];
    expect(shown(slots, 5 * hour)).toBe('a1 f1 a1 f1 a1 f1 b2 a3 f3 a3 f3'.replace(' a3 f3 a3 f3', ' a3 f3'));
  });

  it('is the same entry in the next window', () => {
    const slots = [slot('a', 'A', titled), slot('b', 'B', { mode: 'one', start: '06:00' })];
    const first = plan(inputOf(slots, library, { to: 2 * hour }));
    const next = plan(inputOf(slots, library, { from: 2 * hour, to: 6 * hour + 1, cursors: first.cursors }));
    expect([entries(first), entries(next)]).toEqual(['a1 a1', 'a1 a1 a1 a1 b2']);
  });

  it('begins a new entry with each turn', () => {
    expect(shown([slot('a', 'A', { mode: 'multiple', count: 2, ...titled })], 4 * hour)).toBe('a1 a1 a2 a2');
  });

  it('that never ends begins a new entry at midnight, once it has lasted for most of a day', () => {
    const found = plan(inputOf([slot('a', 'A', titled)], library, { from: 10 * hour, to: 80 * hour }));
    const begins = found.items.filter((item, i) => item.guide !== found.items[i - 1]?.guide);
    expect(begins.map(({ start }) => start / hour)).toEqual([10, 48, 72]);
  });

  it('that is hidden is hidden', () => {
    expect(shown([slot('a', 'A', { guide: { title: 'Evening', hide: true } })], 2 * hour)).toBe('a- a-');
  });
});
