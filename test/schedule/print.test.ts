import { describe, expect, it } from 'vitest';
import { plan } from '../../src/schedule/plan.ts';
import { planTable } from '../../src/schedule/print.ts';
import type { PlanInput, PlanMedia } from '../../src/schedule/types.ts';
import { hour, inputOf, media, minute, slot } from './planning.ts';

const table = (input: PlanInput) => planTable(input, plan(input)).split('\n');
/** What the column of media says of one media. */
function called(more: Partial<PlanMedia>): string {
  const [, row] = table(inputOf([slot('s', 'A')], { A: [media('id', 60, more)] }, { to: 1 }));
  return row!.split('  ')[3]!;
}

describe('a plan as a table', () => {
  it('has a line for each item, in local time, and what is wrong below', () => {
    const A = [
      media('pilot', 60, { title: 'Pilot', show: 'Show', season: 1, episode: 2, chaptersMs: [6 * minute] }),
    ];
    const filler = {
      mid: { from: 'F', order: 'custom' },
      pre: { from: 'N' },
      tail: { from: 'F', order: 'random' },
    };
    const slots = [slot('a', 'A', { mode: 'duration', duration: 'PT1H15M', filler })];
    const collections = { A, F: [media('f', 5)], N: [] };
    const from = Date.parse('2026-03-08T06:59:30Z');
    const input = inputOf(slots, collections, {
      zone: 'America/Chicago',
      from,
      to: from + hour + 15 * minute,
    });
    expect(table(input)).toEqual([
      'start                           length   kind     media                             slot  guide  why',
      'Sun 2026-03-08 00:59:30 -06:00  0:06:00  program  Show S01E02 Pilot                 a     1      custom, cycle 1, item 1',
      'Sun 2026-03-08 01:05:30 -06:00  0:05:00  mid      f                                 a     1      custom, cycle 1, item 1',
      'Sun 2026-03-08 01:10:30 -06:00  0:54:00  program  Show S01E02 Pilot (from 0:06:00)  a     1      custom, cycle 1, item 1',
      'Sun 2026-03-08 03:04:30 -05:00  0:05:00  tail     f                                 a     1      random, item 1',
      'Sun 2026-03-08 03:09:30 -05:00  0:05:00  tail     f                                 a     1      random, item 2',
      '',
      'empty-collection: slot "a", pre: collection "N" is empty',
      '',
    ]);
  });

  it('says for whom nothing is on, and of which playlist member something comes', () => {
    const P = { playlist: [{ play: 'A', order: 'custom' as const, count: 1 }] };
    const slots = [slot('s', 'P', { mode: 'one', start: '01:00' })];
    const lines = table(inputOf(slots, { A: [media('a', 60)], P }, { to: 2 * hour }));
    expect(lines[1]).toMatch(/^Thu 1970-01-01 00:00:00 \+00:00 {2}1:00:00 {2}offline {9}s$/);
    expect(lines[2]).toMatch(/program {2}a {6}s {5}1 {6}custom, cycle 1, item 1, of "A"$/);
  });

  it('names a media by what is known of it', () => {
    expect(called({})).toBe('id');
    expect(called({ title: 'Title' })).toBe('Title');
    expect(called({ show: 'Show', episode: 7 })).toBe('Show E07');
    expect(called({ show: 'Show', season: 0, title: '' })).toBe('Show S00');
  });

  it('prints nothing that a terminal would obey, and keeps every other letter', () => {
    expect(called({ title: 'red\u001B[31m\r\nbell\u0007\u202Eback\u2028' })).toBe('red [31m bell back');
    expect(called({ title: 'Père, 東京 👨‍👩‍👧 – Ω' })).toBe('Père, 東京 👨‍👩‍👧 – Ω');
  });

  it('is a line of headings where nothing is planned', () => {
    expect(table(inputOf([slot('s', 'A')], { A: [media('a')] }, { to: 0 }))).toEqual([
      'start  length  kind  media  slot  guide  why',
      '',
    ]);
  });
});
