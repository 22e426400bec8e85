import { describe, expect, it } from 'vitest';
import { firstEndingAfter, itemAt } from '../../src/playout/timeline.ts';

const items = [
  { startsAt: 0, endsAt: 10 },
  { startsAt: 10, endsAt: 30 },
  { startsAt: 40, endsAt: 50 },
];

describe('itemAt', () => {
  it.each([
    [0, 0, 0],
    [9, 0, 9],
    [10, 1, 0],
    [29, 1, 19],
    [40, 2, 0],
    [49, 2, 9],
  ])('finds what is on at %i', (at, index, offsetMs) => {
    expect(itemAt(items, at)).toEqual({ item: items[index], index, offsetMs });
  });

  it.each([-1, 30, 35, 50, 1000])('finds nothing at %i', (at) => {
    expect(itemAt(items, at)).toBeUndefined();
  });

  it('finds nothing in nothing', () => {
    expect(itemAt([], 5)).toBeUndefined();
    expect(firstEndingAfter([], 5)).toBe(0);
  });
});
