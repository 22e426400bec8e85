import { describe, expect, it } from 'vitest';
import { type PlanAnswerJson, planRequest } from '../../src/schedule/request.ts';

// The table of the scheduling contract, section 3. Midnight is 0:00 in Chicago, which is 6:00 in UTC.

const midnight = Date.parse('2026-03-02T00:00:00-06:00');
const clock = (time: number) => `${Math.floor(time / 60)}:${String(time % 60).padStart(2, '0')}`;
const minutes = (iso: string) => (Date.parse(iso) - midnight) / 60_000;

/** "A60 B60" is two media of sixty minutes. */
function list(names: string): object[] {
  return names
    .split(' ')
    .filter((name) => name !== '')
    .map((name) => ({ id: name.replace(/\d+$/, ''), duration: `PT${/\d+$/.exec(name)}M`, title: name }));
}

interface Case {
  slots: object[];
  collections: Record<string, string>;
  window: [number, number];
  cursors?: object;
}

function answer({ slots, collections, window, cursors = {} }: Case): PlanAnswerJson {
  return planRequest({
    zone: 'America/Chicago',
    seed: 42,
    from: new Date(midnight + window[0] * 3_600_000).toISOString(),
    to: new Date(midnight + window[1] * 3_600_000).toISOString(),
    cursors,
    collections: Object.fromEntries(Object.entries(collections).map(([name, media]) => [name, list(media)])),
    schedule: { slots },
  });
}

/** "A0:00 B1:00 next 2:00" */
function airs({ items }: PlanAnswerJson): string {
  const shown = items.map((i) => `${i.kind === 'program' ? i.media : i.kind}${clock(minutes(i.start))}`);
  return [...shown, `next ${clock(minutes(items.at(-1)!.stop))}`].join(' ');
}

describe('the cases of the scheduling contract', () => {
  const flood = { id: 's', play: 'C', mode: 'flood' };

  it('1: a flood of one long media gives it once, and the next plan begins at its end', () => {
    const found = answer({ slots: [flood], collections: { C: 'A360' }, window: [0, 6] });
    expect(airs(found)).toBe('A0:00 next 6:00');
    expect(found).toEqual({
      items: [
        {
          kind: 'program',
          start: '2026-03-02T06:00:00.000Z',
          stop: '2026-03-02T12:00:00.000Z',
          media: 'A',
          in: 0,
          out: 21_600_000,
          slot: 's',
          guide: 1,
          why: { order: 'chronological', cycle: 1, position: 1 },
        },
      ],
      cursors: expect.any(Object),
      problems: [],
    });
  });

  it('2: a flood repeats its collection', () => {
    const found = answer({ slots: [flood], collections: { C: 'A60 B60' }, window: [0, 4] });
    expect(airs(found)).toBe('A0:00 B1:00 A2:00 B3:00 next 4:00');
  });

  it('6: multiples play that many and go on, and after the last slot comes the first', () => {
    const slots = [
      { id: 'm3', play: 'C', mode: 'multiple', count: 3 },
      { id: 'm2', play: 'D', mode: 'multiple', count: 2 },
    ];
    const collections = { C: 'A60 B60 C60', D: 'D60 E60' };
    const found = answer({ slots, collections, window: [0, 5] });
    expect(airs(found)).toBe('A0:00 B1:00 C2:00 D3:00 E4:00 next 5:00');
    const next = answer({ slots, collections, window: [5, 6], cursors: found.cursors });
    expect(next.items).toMatchObject([{ slot: 'm3', media: 'A' }]);
  });

  it('9 and 10: the next window adds what is missing, and planning it again changes nothing', () => {
    const collections = { C: 'A360 B360' };
    const first = answer({ slots: [flood], collections, window: [0, 6] });
    const again = { slots: [flood], collections, window: [6, 7], cursors: first.cursors } satisfies Case;
    const second = answer(again);
    expect(airs(first)).toBe('A0:00 next 6:00');
    expect(airs(second)).toBe('B6:00 next 12:00');
    expect(JSON.stringify(answer(again))).toBe(JSON.stringify(second));
    const nothing = answer({ ...again, window: [12, 7], cursors: second.cursors });
    expect(nothing).toEqual({ items: [], cursors: second.cursors, problems: [] });
  });

  it('11: a shuffle of 25 over two days is in its third cycle, without a repeat within a cycle', () => {
    const media = Array.from({ length: 25 }, (_, i) => `${String.fromCharCode(65 + i)}55`).join(' ');
    const slots = [{ ...flood, order: 'shuffle' }];
    const { items } = answer({ slots, collections: { C: media }, window: [0, 48] });
    const programs = items.filter((item) => item.kind === 'program');
    expect(programs).toHaveLength(53);
    expect(programs.at(-1)!.why).toEqual({ order: 'shuffle', cycle: 3, position: 3 });
    for (const cycle of [programs.slice(0, 25), programs.slice(25, 50), programs.slice(50)]) {
      expect(new Set(cycle.map((item) => item.media)).size).toBe(cycle.length);
    }
  });

  it('17: an empty collection between two others is passed over without losing time', () => {
    const slots = [
      { id: 'a', play: 'A', mode: 'one' },
      { id: 'none', play: 'N', mode: 'flood' },
      { id: 'b', play: 'B', mode: 'one' },
    ];
    const found = answer({ slots, collections: { A: 'A60', B: 'B60', N: '' }, window: [0, 4] });
    expect(airs(found)).toBe('A0:00 B1:00 A2:00 B3:00 next 4:00');
    expect(found.problems).toEqual([
      { code: 'empty-collection', slot: 'none', message: 'collection "N" is empty' },
    ]);
  });

  it('18: empty collections only give one offline item, reported once a slot', () => {
    const slots = [
      { id: 'a', play: 'N', mode: 'one' },
      { id: 'b', play: 'N', mode: 'flood' },
    ];
    const found = answer({ slots, collections: { N: '' }, window: [0, 30] });
    expect(found.items).toEqual([
      { kind: 'offline', start: '2026-03-02T06:00:00.000Z', stop: '2026-03-03T12:00:00.000Z' },
    ]);
    expect(found.problems).toMatchObject([
      { code: 'empty-collection', slot: 'a' },
      { code: 'empty-collection', slot: 'b' },
    ]);
  });
});
