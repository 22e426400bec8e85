import { describe, expect, it } from 'vitest';
import { readPart } from '../../src/schedule/parts.ts';
import { plan } from '../../src/schedule/plan.ts';
import type { PlanMedia } from '../../src/schedule/types.ts';
import { aired, Channel, hour, inputOf, media, slot } from './planning.ts';

describe('the title of a part', () => {
  it.each([
    ['The Siege, Part 1', 'the siege', 1],
    ['The Siege: Part Two', 'the siege', 2],
    ['The Siege (Part 3)', 'the siege', 3],
    ['The Siege (Pt. 2 of 3)', 'the siege', 2],
    ['The Siege pt 2', 'the siege', 2],
    ['The Siege (2)', 'the siege', 2],
    ['The Siege (1/2)', 'the siege', 1],
    ['The Siege (2 of 2)', 'the siege', 2],
    ['The Siege (II)', 'the siege', 2],
    ['The Siege II', 'the siege', 2],
    ['The Siege – Part IV', 'the siege', 4],
    ['Part 12', '', 12],
  ])('%s', (title, stem, part) => {
    expect(readPart(title)).toEqual({ stem, part });
  });

  it.each([
    'The Siege',
    'Depart 2',
    'Area 51',
    'Blade Runner 2049',
    'Counterpart',
    'Mix',
    'The Party',
    'II',
    '',
  ])('not: %s', (title) => {
    expect(readPart(title)).toBe(undefined);
  });
});

describe('the parts of an episode', () => {
  const episode = (id: string, title: string, show = 'Show') => media(id, 60, { title, show });
  const episodes = [
    episode('s2', 'The Siege (2)'),
    episode('other2', 'The Siege (2)', 'Another'),
    episode('a', 'A'),
    episode('w', 'The Way'),
    episode('s1', 'The Siege (1)'),
    episode('b', 'B'),
    episode('s3', 'The Siege, Part Three'),
    episode('w2', 'The Way II'),
    media('film', 60, { title: 'The Siege (1)' }),
  ];
  const played = (order: string, seed: number, count: number, collection: PlanMedia[] = episodes) =>
    aired(
      plan(
        inputOf(
          [slot('s', 'A', { order, parts: 'together' })],
          { A: collection },
          { to: count * hour, seed },
        ),
      ),
    );

  it.each(['shuffle', 'random'])('stay behind one another in %s', (order) => {
    const apart: string[] = [];
    for (let seed = 0; seed < 100; seed++) {
      const found = played(order, seed, 60).join(' ');
      expect(found).not.toMatch(/(^|[^1]) s2|(^|[^2]) s3|s1 (?!s2|$)|s2 (?!s3|$)|(^|[^w]) w2|w (?!w2|$)/);
      apart.push(
        aired(plan(inputOf([slot('s', 'A', { order })], { A: episodes }, { to: 60 * hour, seed }))).join(' '),
      );
    }
    expect(apart.some((found) => /s1 (?!s2|$)/.test(found))).toBe(true);
  });

  it('are every one played once a cycle by shuffle', () => {
    for (let seed = 0; seed < 20; seed++) expect(new Set(played('shuffle', seed, 9)).size).toBe(9);
  });

  it('stay behind one another in rotate', () => {
    const numbered = (id: string, title: string, show: string, number: number) =>
      media(id, 60, { title, show, season: 1, episode: number });
    const shows = [
      numbered('a1', 'x', 'A', 1),
      numbered('a2', 'The Siege (1)', 'A', 2),
      numbered('a3', 'The Siege (2)', 'A', 3),
      numbered('a4', 'y', 'A', 4),
      ...[1, 2, 3, 4].map((n) => numbered(`b${n}`, `${n}th`, 'B', n)),
    ];
    expect(played('rotate', 1, 8, shows)).toEqual(['a1', 'b1', 'a2', 'a3', 'b2', 'b3', 'a4', 'b4']);
  });

  it('keep their place in a shuffle when another part of theirs comes or goes', () => {
    for (let seed = 0; seed < 40; seed++) {
      const slots = [slot('s', 'A', { order: 'shuffle', parts: 'together' })];
      const whole = new Channel(slots, { A: episodes }, seed).play(9);
      const without = episodes.filter(({ id }) => id !== 's2');
      const second = whole.indexOf('s2');
      const channel = new Channel(slots, { A: episodes }, seed);
      channel.play(second + 1);
      channel.collections = { A: without };
      expect(channel.play(8 - second)).toEqual(whole.slice(second + 1));
      const later = new Channel(slots, { A: without }, seed);
      expect(later.play(second)).toEqual(whole.slice(0, second));
      later.collections = { A: episodes };
      expect(later.play(9 - second)).toEqual(whole.slice(second));
    }
  });

  it('may stay together in one slot of a playlist and not in another', () => {
    const member = { play: 'A', order: 'random' as const, count: 3 };
    const P = { playlist: [member, { ...member, parts: 'together' as const }] };
    const collections = { A: episodes, P };
    const slots = [slot('s', 'P')];
    for (let seed = 0; seed < 20; seed++) {
      const whole = plan(inputOf(slots, collections, { to: 30 * hour, seed }));
      const channel = new Channel(slots, collections, seed);
      expect(channel.play(30)).toEqual(aired(whole));
    }
  });

  it('are taken apart where only a later one fits', () => {
    const collection = [
      media('long', 90, { title: 'The Siege (1)', show: 'S' }),
      media('short', 30, { title: 'The Siege (2)', show: 'S' }),
    ];
    for (const order of ['shuffle', 'random', 'rotate']) {
      const slots = [slot('s', 'A', { order, parts: 'together', mode: 'duration', duration: 'PT1H' })];
      expect(aired(plan(inputOf(slots, { A: collection }, { to: hour })))).toEqual(['short', 'short']);
    }
  });
});
