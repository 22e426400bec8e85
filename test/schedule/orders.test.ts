import { describe, expect, it } from 'vitest';
import { plan } from '../../src/schedule/plan.ts';
import type { PlanMedia } from '../../src/schedule/types.ts';
import { aired, Channel, hour, hours, inputOf, media, slot } from './planning.ts';

function played(order: string, collection: PlanMedia[], count: number, seed = 1, id = 's'): string[] {
  return aired(plan(inputOf([slot(id, 'A', { order })], { A: collection }, { to: count * hour, seed })));
}

describe('chronological', () => {
  it('goes by date aired, then show, season, episode, title and id; what lacks one comes last', () => {
    const sorted = [
      media('z', 60, { aired: '1999-01-01', show: 'Z' }),
      media('y', 60, { aired: '2000-01-01', show: 'A', season: 2, episode: 1 }),
      media('x', 60, { aired: '2000-01-01', show: 'B', season: 1, episode: 9 }),
      media('w', 60, { aired: '2000-01-01', show: 'B', season: 1, episode: 10 }),
      media('v', 60, { aired: '2000-01-01', show: 'B', season: 2, episode: 1, title: 'A' }),
      media('u', 60, { aired: '2000-01-01', show: 'B', season: 2, episode: 1, title: 'B' }),
      media('t', 60, { aired: '2000-01-01', show: 'B', season: 2, episode: 1 }),
      media('s', 60, { aired: '2000-01-01', show: 'B', season: 2 }),
      media('r', 60, { aired: '2000-01-01', show: 'B' }),
      media('q', 60, { aired: '2000-01-01' }),
      media('o', 60, { title: 'A' }),
      media('a', 60),
      media('b', 60),
    ];
    const mixed = sorted.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    expect(played('chronological', mixed, 13)).toEqual(sorted.map((item) => item.id));
  });
});

describe('custom', () => {
  it('goes as listed', () => {
    expect(played('custom', hours('c', 'a', 'b'), 5)).toEqual(['c', 'a', 'b', 'c', 'a']);
  });

  it('may list a media more than once', () => {
    const channel = new Channel([slot('s', 'A')], { A: hours('bumper', 'a', 'bumper', 'b') });
    expect(channel.play(6)).toEqual(['bumper', 'a', 'bumper', 'b', 'bumper', 'a']);
  });
});

describe('shuffle', () => {
  it('differs by seed, by slot and by cycle', () => {
    const collection = hours(...'abcdefghij');
    const twice = played('shuffle', collection, 20);
    expect(twice.slice(10)).not.toEqual(twice.slice(0, 10));
    expect(played('shuffle', collection, 10, 2)).not.toEqual(twice.slice(0, 10));
    expect(played('shuffle', collection, 10, 1, 't')).not.toEqual(twice.slice(0, 10));
  });

  it('does not depend on the order of the collection', () => {
    expect(played('shuffle', hours(...'abcdef'), 12)).toEqual(played('shuffle', hours(...'fedcba'), 12));
  });

  it('alternates two, and repeats one', () => {
    expect(new Set(played('shuffle', hours('a', 'b'), 40).join('').match(/../g)).size).toBe(1);
    expect(played('shuffle', hours('a'), 3)).toEqual(['a', 'a', 'a']);
  });

  it('does not begin a cycle with the media that ended the one before, listed twice or not', () => {
    const collection = hours('a', 'a', 'b', 'c');
    for (let seed = 0; seed < 50; seed++) {
      const found = played('shuffle', collection, 400, seed);
      for (let i = 4; i < found.length; i += 4) expect(found[i]).not.toBe(found[i - 1]);
      expect(found.slice(0, 4).toSorted()).toEqual(['a', 'a', 'b', 'c']);
    }
  });

  it('gives every media every place about as often', () => {
    const cycles = 2000;
    const ids = [...'abcdefgh'];
    const found = played('shuffle', hours(...ids), cycles * 8);
    const count = new Map<string, number>();
    for (const [i, id] of found.entries()) count.set(`${id}${i % 8}`, (count.get(`${id}${i % 8}`) ?? 0) + 1);
    // The last place has more of those that were held back, which is one in eight.
    for (const key of ids.flatMap((id) => ids.map((_, place) => `${id}${place}`))) {
      expect(count.get(key)! / (cycles / 8)).toBeGreaterThan(0.7);
      expect(count.get(key)! / (cycles / 8)).toBeLessThan(1.3);
    }
  });
});
