import { describe, expect, it } from 'vitest';
import { plan } from '../../src/schedule/plan.ts';
import type { Slot } from '../../src/schedule/types.ts';
import { hour, hours, inputOf, type Library, media, minute, shown, slot } from './planning.ts';

const day = 24 * hour;
const one = (id: string, more: object = {}) => slot(id, id.toUpperCase(), { mode: 'one', ...more });

function airs(
  slots: Slot[],
  collections: Library,
  window: Partial<Parameters<typeof inputOf>[2]> = {},
): string {
  return shown(plan(inputOf(slots, collections, { to: day, ...window })));
}

describe('a fixed start', () => {
  const library = { A: hours('a'), B: hours('b'), C: hours('c'), F: [media('f', 5)] };

  it('is waited for at the beginning', () => {
    expect(airs([one('a', { start: '20:00' }), slot('b', 'B')], library)).toBe(
      'offline0:00 a20:00 b21:00 b22:00 b23:00',
    );
  });

  it('in seconds is kept to the second', () => {
    const slots = [slot('b', 'B'), one('a', { start: '01:30:15' })];
    expect(airs(slots, library, { to: 2 * hour })).toBe('b0:00 offline1:00 a1:30:15');
  });

  it('at the very beginning has its turn then, and a day later again', () => {
    expect(airs([slot('a', 'A', { start: '00:00', mode: 'one' })], library, { to: day + 1 })).toBe(
      'a0:00 offline1:00 a24:00',
    );
  });

  it('of the only flood begins it anew every day', () => {
    const found = airs([slot('c', 'C', { start: '00:00' })], { C: [media('c', 7 * 60)] }, { to: 2 * day });
    expect(found).toBe('c0:00 c7:00 c14:00 offline21:00 c24:00 c31:00 c38:00 offline45:00');
  });

  it('ends a flood even if slots without one stand between, and these are reported', () => {
    const slots = [slot('b', 'B'), one('c'), one('a', { start: '02:30' })];
    const found = plan(inputOf(slots, library, { to: 4 * hour }));
    expect(shown(found)).toBe('b0:00 b1:00 offline2:00 a2:30 b3:30');
    expect(found.problems).toMatchObject([{ code: 'unreachable-slot', slot: 'c' }]);
  });

  it('of the slot after next is waited for in its turn', () => {
    const slots = [one('a', { start: '20:00' }), one('b', { start: '08:00' }), slot('c', 'C')];
    expect(airs(slots, library, { from: 6 * hour, to: 36 * hour })).toBe(
      'offline6:00 a20:00 offline21:00 b32:00 c33:00 c34:00 c35:00',
    );
  });

  it('that is missed by a long media is waited for until the next day', () => {
    const slots = [slot('x', 'X', { mode: 'one' }), one('a', { start: '01:00' })];
    expect(airs(slots, { ...library, X: [media('x', 120)] }, { to: 28 * hour })).toBe(
      'x0:00 offline2:00 a25:00 x26:00',
    );
  });

  it('that is late begins at once, if it may, and not otherwise', () => {
    const slots = [slot('x', 'X', { mode: 'one' }), one('a', { start: '01:00', late: 'now' })];
    expect(airs(slots, { ...library, X: [media('x', 120)] }, { to: 9 * hour })).toBe(
      'x0:00 a2:00 x3:00 a5:00 x6:00 a8:00',
    );
  });

  it('that may be late is waited for while it is still ahead today', () => {
    const slots = [one('b'), one('a', { start: '23:30', late: 'now' })];
    expect(airs(slots, library, { from: 22 * hour, to: 26 * hour })).toBe(
      'b22:00 offline23:00 a23:30 b24:30 offline25:30',
    );
  });

  it('that may be late is not begun early by a flood that ends for it', () => {
    // A quarter to midnight, today's start is long over; but it is tomorrow's that the flood has ended for.
    const slots = [slot('b', 'B'), one('a', { start: '00:30', late: 'now' })];
    expect(airs(slots, library, { from: 23.75 * hour, to: 26 * hour })).toBe('offline23:45 a24:30 b25:30');
  });

  it('of several slots at one time gives the time to the last of them that floods', () => {
    const slots = ['a', 'b', 'c'].map((id) => slot(id, id.toUpperCase(), { start: '03:00' }));
    expect(airs(slots, library, { from: 3 * hour, to: 6 * hour })).toBe('c3:00 c4:00 c5:00');
  });

  it('of an empty slot interrupts nothing', () => {
    const slots = [slot('b', 'B'), slot('n', 'N', { start: '02:30' })];
    expect(airs(slots, { ...library, N: [] }, { to: 4 * hour })).toBe('b0:00 b1:00 b2:00 b3:00');
  });

  it('may be given to a flood that another one ends', () => {
    const slots = [slot('a', 'A', { start: '06:00' }), slot('b', 'B', { start: '20:00' })];
    expect(
      airs(slots, { A: [media('a', 360)], B: [media('b', 240)] }, { from: 6 * hour, to: 44 * hour }),
    ).toBe('a6:00 a12:00 offline18:00 b20:00 b24:00 offline28:00 a30:00 a36:00 offline42:00');
  });

  it('that a flood can never fill is reported with the media that has no room', () => {
    const slots = [slot('x', 'X', { start: '00:00' }), one('a', { start: '02:00' })];
    const found = plan(inputOf(slots, { X: [media('x', 180)], A: hours('a') }, { to: 5 * hour }));
    expect(shown(found)).toBe('offline0:00 a2:00 offline3:00');
    expect(found.problems).toEqual([
      {
        code: 'never-fits',
        slot: 'x',
        media: 'x',
        message: 'media "x" lasts 3 hours, and there is room for 2 hours',
      },
    ]);
  });

  it('is one of the clock of its zone, and not 24 hours after the last', () => {
    const slots = [one('a', { start: '20:00' })];
    const from = Date.parse('2026-03-07T20:00:00-06:00');
    const input = inputOf(slots, library, { zone: 'America/Chicago', from, to: from + 25 * hour });
    expect(plan(input).items.map(({ start }) => new Date(start).toISOString())).toEqual([
      '2026-03-08T02:00:00.000Z',
      '2026-03-08T03:00:00.000Z',
      '2026-03-09T01:00:00.000Z',
      '2026-03-09T02:00:00.000Z',
    ]);
  });
});

describe('what is left before a fixed start', () => {
  const fixed = slot('z', 'Z', { mode: 'one', start: '01:00' });
  const library = { A: [media('a', 45)], Z: hours('z'), F: [media('f', 4)], G: [media('g', 2)] };
  const fill = (more: object) =>
    airs([slot('a', 'A', more), fixed], library, { to: hour + 1 })
      .replace('a0:00 ', '')
      .replace(' z1:00', '');

  it.each([
    ['offline unless said', {}, 'offline0:45'],
    [
      'filled where there is something to fill it with',
      { filler: { tail: { from: 'F' } } },
      'f0:45 f0:49 f0:53 offline0:57',
    ],
    ['offline if that is wanted', { rest: 'offline', filler: { tail: { from: 'F' } } }, 'offline0:45'],
    ['offline if there is nothing to fill it with', { rest: 'filler' }, 'offline0:45'],
  ])('is %s', (_, more, expected) => {
    expect(fill(more)).toBe(expected);
  });

  it('is filled by the slot that stands before, whatever its mode', () => {
    const slots = [slot('a', 'A', { mode: 'one', filler: { fallback: { from: 'F' } } }), fixed];
    expect(airs(slots, library, { to: hour + 1 })).toBe('a0:00 f0:45 f0:49 f0:53 f0:57 z1:00');
  });

  it('is filled by the last slot of the list at the beginning', () => {
    const slots = [
      { ...fixed, start: '00:05' },
      slot('n', 'N'),
      slot('a', 'A', { filler: { tail: { from: 'G' } } }),
    ];
    const found = airs(slots, { ...library, N: [] }, { to: 6 * minute });
    expect(found).toBe('g0:00 g0:02 offline0:04 z0:05');
  });
});

describe('a list of a day', () => {
  const at = (clock: string) => Date.parse(`2026-03-06T${clock}Z`);
  const library = { A: hours('a'), B: hours('b'), C: hours('c'), L: [media('l', 600)], F: [media('f', 5)] };
  /** From Friday noon. */
  const weekend = (
    slots: Slot[],
    friday: Slot[],
    window: { from?: string; hours?: number; cursors?: object } = {},
  ) => {
    const from = at(window.from ?? '20:00');
    const to = from + (window.hours ?? 8) * hour;
    const days = [{ when: { weekdays: [6, 7] }, slots }];
    return plan(inputOf(friday, library, { from, to, days }));
  };
  const since = at('00:00');

  it('begins with its first slot at midnight, and what is on is not cut', () => {
    const found = weekend([one('b'), one('c')], [slot('l', 'L')]);
    expect(shown(found, since)).toBe('l20:00');
    const shorter = weekend([one('b'), one('c')], [slot('a', 'A')], { from: '21:30' });
    expect(shown(shorter, since)).toBe('a21:30 a22:30 a23:30 b24:30 c25:30 b26:30 c27:30 b28:30');
  });

  it('goes on over midnight where the same rule matches the next day too', () => {
    const found = weekend([one('b'), one('c')], [], { from: '23:00', hours: 28 });
    expect(shown(found, since)).toMatch(/^offline23:00 b24:00 c25:00 .* c47:00 b48:00 c49:00/);
  });

  it('that has a fixed start at midnight is not kept waiting by a flood', () => {
    const found = weekend([slot('b', 'B', { start: '00:00' })], [slot('a', 'A')], {
      from: '21:30',
      hours: 4,
    });
    expect(shown(found, since)).toBe('a21:30 a22:30 offline23:30 b24:00 b25:00');
  });

  it('that has its first fixed start later lets what is on end before it, and is then waited for', () => {
    const friday = [slot('a', 'A', { filler: { tail: { from: 'F' } } })];
    const found = weekend([slot('b', 'B', { start: '00:20' })], friday, { from: '22:30', hours: 4 });
    expect(shown(found, since)).toBe(
      'a22:30 f23:30 f23:35 f23:40 f23:45 f23:50 f23:55 offline24:00 b24:20 b25:20 b26:20',
    );
  });

  it('ends the rest of a duration and of a gap', () => {
    const filler = { tail: { from: 'F' } };
    const friday = [slot('a', 'A', { mode: 'duration', duration: 'PT1H30M', filler })];
    const found = weekend([slot('b', 'B')], friday, { from: '22:50', hours: 2 });
    expect(shown(found, since)).toBe('a22:50 f23:50 f23:55 b24:00');
    const gap = weekend([slot('b', 'B')], [one('a', { start: '06:00' })], { from: '22:00', hours: 3 });
    expect(shown(gap, since)).toBe('offline22:00 b24:00');
  });

  it('without slots, or without anything to play, is offline all day', () => {
    const found = weekend([], [slot('a', 'A')], { from: '23:00', hours: 50 });
    expect(shown(found, since)).toBe('a23:00 offline24:00 a72:00');
  });

  it('takes a slot of the same id on from where the other list has left it', () => {
    const library2 = { A: hours('a1', 'a2', 'a3', 'a4', 'a5') };
    const days = [{ when: { weekdays: [6, 7] }, slots: [slot('a', 'A', { mode: 'one' })] }];
    const found = plan(
      inputOf([slot('a', 'A')], library2, { from: at('22:00'), to: at('22:00') + 4 * hour, days }),
    );
    expect(shown(found, since)).toBe('a122:00 a223:00 a324:00 a425:00');
  });

  it('is the one of the first rule that matches', () => {
    const days = [
      { when: { monthdays: [7] }, slots: [one('b')] },
      { when: { weekdays: [6, 7] }, slots: [one('c')] },
    ];
    const from = at('23:00');
    const found = plan(inputOf([one('a')], library, { from, to: from + 26 * hour, days }));
    expect(shown(found, since)).toMatch(/^a23:00 b24:00 .* b47:00 c48:00$/);
  });

  it('may hold slots that a flood never lets through, and only these are reported', () => {
    const friday = [one('a')];
    const found = weekend([one('b'), slot('c', 'C'), one('l')], friday);
    expect(found.problems).toMatchObject([{ code: 'unreachable-slot', slot: 'l' }]);
  });
});
