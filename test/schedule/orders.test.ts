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

describe('season-episode', () => {
  it('goes by show, season and episode, whenever they were aired, and leaves specials out', () => {
    const sorted = [
      media('a', 60, { show: 'A', season: 1, episode: 2, aired: '2009-01-01' }),
      media('b', 60, { show: 'A', season: 1, episode: 10, aired: '2001-01-01' }),
      media('c', 60, { show: 'A', season: 2, episode: 1, aired: '2000-01-01' }),
      media('d', 60, { show: 'A', season: 2 }),
      media('e', 60, { show: 'A' }),
      media('f', 60, { show: 'B', season: 1, episode: 1 }),
      media('g', 60),
    ];
    const special = media('special', 60, { show: 'A', season: 0, episode: 1 });
    expect(played('season-episode', [special, ...sorted.toReversed()], 9)).toEqual([...'abcdefgab']);
  });

  it('has nothing to play of specials alone, and says so', () => {
    const specials = [media('special', 60, { season: 0 })];
    const found = plan(inputOf([slot('s', 'A', { order: 'season-episode' })], { A: specials }, { to: hour }));
    expect(found.items).toMatchObject([{ kind: 'offline' }]);
    expect(found.problems).toMatchObject([{ code: 'empty-collection', slot: 's', message: /specials/ }]);
  });
});

describe('random', () => {
  it('plays nothing twice running, and everything about as often', () => {
    const ids = [...'abcdefgh'];
    for (const seed of [1, 2, 3]) {
      const found = played('random', hours(...ids), 8000, seed);
      expect(found.findIndex((id, i) => id === found[i - 1])).toBe(-1);
      for (const id of ids) {
        const share = found.filter((other) => other === id).length / 1000;
        expect(share).toBeGreaterThan(0.85);
        expect(share).toBeLessThan(1.15);
      }
    }
  });

  it('differs by seed and by slot, and follows no cycle', () => {
    const collection = hours(...'abcdefgh');
    const found = played('random', collection, 24);
    expect(played('random', collection, 24, 2)).not.toEqual(found);
    expect(played('random', collection, 24, 1, 't')).not.toEqual(found);
    expect(new Set(found.slice(0, 8)).size).toBeLessThan(8);
  });

  it('alternates two, repeats one, and counts a media that is listed twice as one', () => {
    expect(new Set(played('random', hours('a', 'b'), 40).join('').match(/../g)).size).toBe(1);
    expect(played('random', hours('a'), 3)).toEqual(['a', 'a', 'a']);
    const twice = played('random', hours('a', 'a', 'a', 'b'), 50);
    expect(twice.findIndex((id, i) => id === twice[i - 1])).toBe(-1);
  });
});

describe('rotate', () => {
  const show = (name: string, count: number) =>
    Array.from({ length: count }, (_, i) =>
      media(`${name}${i + 1}`, 60, { show: name, season: 1, episode: i + 1 }),
    );

  it('interleaves shows, each in its own order', () => {
    const mixed = [...show('A', 3).toReversed(), ...show('B', 3)];
    expect(played('rotate', mixed, 8)).toEqual(['A1', 'B1', 'A2', 'B2', 'A3', 'B3', 'A1', 'B1']);
  });

  it('spreads the shorter shows evenly over the longer ones, and plays each media once a cycle', () => {
    const found = played('rotate', [...show('A', 6), ...show('B', 3), ...show('C', 1)], 20);
    expect(
      found
        .slice(0, 10)
        .map((id) => id[0])
        .join(''),
    ).toBe('ABAABCAABA');
    expect(new Set(found.slice(0, 10)).size).toBe(10);
    expect(found.slice(10)).toEqual(found.slice(0, 10));
  });

  it('takes what belongs to no show as one of its own', () => {
    expect(played('rotate', [...show('A', 2), media('x'), media('y')], 4)).toEqual(['A1', 'x', 'A2', 'y']);
  });

  it('lets a show that is added join in with its first, without a burst', () => {
    const channel = new Channel([slot('s', 'A', { order: 'rotate' })], {
      A: [...show('A', 8), ...show('B', 8)],
    });
    channel.play(8);
    channel.collections = { A: [...show('A', 8), ...show('B', 8), ...show('C', 8)] };
    const found = channel.play(9);
    expect(found.filter((id) => id.startsWith('C'))).toEqual(['C1', 'C2', 'C3']);
    expect(found.filter((id) => id.startsWith('A'))).toEqual(['A5', 'A6', 'A7']);
    expect(found.findIndex((id, i) => id[0] === found[i - 1]?.[0])).toBe(-1);
  });

  it('goes on with each show where it was, when others lose or gain episodes', () => {
    const channel = new Channel([slot('s', 'A', { order: 'rotate' })], {
      A: [...show('A', 6), ...show('B', 6)],
    });
    expect(channel.play(5)).toEqual(['A1', 'B1', 'A2', 'B2', 'A3']);
    // The last played of A is gone, and B has got an older episode.
    const pilot = media('B0', 60, { show: 'B', season: 1, episode: 0 });
    channel.collections = { A: [...show('A', 6).filter(({ id }) => id !== 'A3'), ...show('B', 6), pilot] };
    const found = channel.play(6);
    expect(found).toEqual(['B3', 'B4', 'A4', 'B5', 'A5', 'B6']);
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
