import { describe, expect, it } from 'vitest';
import { type PlanAnswerJson, planRequest } from '../../src/schedule/request.ts';

// The table of the scheduling contract, section 3. Midnight is 0:00 in Chicago, which is 6:00 in UTC. The second
// of March 2026 is a Monday.

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
  days?: object[];
  /** Names of media, or media. */
  collections: Record<string, string | object[]>;
  /** Hours since midnight. */
  window: [number, number];
  cursors?: object;
}

function answer({ slots, days, collections, window, cursors = {} }: Case): PlanAnswerJson {
  return planRequest({
    zone: 'America/Chicago',
    seed: 42,
    from: new Date(midnight + window[0] * 3_600_000).toISOString(),
    to: new Date(midnight + window[1] * 3_600_000).toISOString(),
    cursors,
    collections: Object.fromEntries(
      Object.entries(collections).map(([name, media]) => [
        name,
        typeof media === 'string' ? list(media) : media,
      ]),
    ),
    schedule: { slots, ...(days === undefined ? {} : { days }) },
  });
}

/** "A0:00 B1:00 next 2:00" */
function airs({ items }: PlanAnswerJson): string {
  const shown = items.map((i) => `${i.kind === 'offline' ? i.kind : i.media}${clock(minutes(i.start))}`);
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

  it('3: a flood goes on until the next fixed start, and after it', () => {
    const slots = [flood, { id: 'fixed', play: 'D', mode: 'one', start: '03:00' }];
    const found = answer({ slots, collections: { C: 'A60 B60', D: 'C120' }, window: [0, 6] });
    expect(airs(found)).toBe('A0:00 B1:00 A2:00 C3:00 B5:00 next 6:00');
  });

  it('4: the same around a fixed multiple', () => {
    const slots = [flood, { id: 'fixed', play: 'D', mode: 'multiple', count: 2, start: '03:00' }];
    const found = answer({ slots, collections: { C: 'A60 B60', D: 'C120 D60' }, window: [0, 7] });
    expect(airs(found)).toBe('A0:00 B1:00 A2:00 C3:00 D5:00 B6:00 next 7:00');
  });

  it('5: what does not fit a duration is not placed, and the rest may go to the next slot at once', () => {
    const slots = [
      flood,
      { id: 'fixed', play: 'D', mode: 'duration', duration: 'PT2H', start: '02:00', rest: 'next' },
    ];
    const collections = { C: 'A60 B60', D: 'C45 D90' };
    const found = answer({ slots, collections, window: [0, 6] });
    expect(airs(found)).toBe('A0:00 B1:00 C2:00 A2:45 B3:45 A4:45 B5:45 next 6:45');
    const tomorrow = answer({ slots, collections, window: [6.75, 27], cursors: found.cursors });
    expect(airs(tomorrow)).toContain('D26:00');
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

  it('7: the rest of a duration is filled', () => {
    const of = (id: string, play: string) => ({
      id,
      play,
      mode: 'duration',
      duration: 'PT3H',
      rest: 'filler',
      filler: { tail: { from: 'F' } },
    });
    const collections = { X: 'X55', Y: 'Y55', F: 'F5' };
    const found = answer({ slots: [of('x', 'X'), of('y', 'Y')], collections, window: [0, 6] });
    expect(airs(found)).toBe(
      'X0:00 X0:55 X1:50 F2:45 F2:50 F2:55 Y3:00 Y3:55 Y4:50 F5:45 F5:50 F5:55 next 6:00',
    );
    expect(found.items[3]).toMatchObject({ kind: 'filler', filler: 'tail', slot: 'x', guide: 3 });
  });

  it('8: what is longer than a whole duration is skipped and reported', () => {
    const slots = [{ id: 'hour', play: 'C', mode: 'duration', duration: 'PT1H' }];
    const found = answer({ slots, collections: { C: 'A120 B60 C120 D60' }, window: [0, 6] });
    expect(airs(found)).toBe('B0:00 D1:00 B2:00 D3:00 B4:00 D5:00 next 6:00');
    expect(found.problems).toMatchObject([
      { code: 'never-fits', slot: 'hour', media: 'A', message: expect.stringContaining('2 hours') },
      { code: 'never-fits', slot: 'hour', media: 'C' },
    ]);
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

  it.each([
    ['nothing', {}, 'offline2:45'],
    ['tails', { tail: { from: 'F5' } }, 'F2:45 F2:50 F2:55'],
    [
      'tails and a fallback',
      { tail: { from: 'F4' }, fallback: { from: 'F1' } },
      'F2:45 F2:49 F2:53 G2:57 G2:58 G2:59',
    ],
  ])('12: the gap before a fixed start has %s', (_, filler, gap) => {
    const slots = [
      { ...flood, filler },
      { id: 'fixed', play: 'D', mode: 'one', start: '03:00' },
    ];
    const collections = { C: 'A55', D: 'D60', F5: 'F5', F4: 'F4', F1: 'G1' };
    const found = answer({ slots, collections, window: [0, 4] });
    expect(airs(found)).toBe(`A0:00 A0:55 A1:50 ${gap} D3:00 next 4:00`);
  });

  it('13: a mid-roll interrupts a media at its chapter', () => {
    const slots = [{ id: 's', play: 'C', mode: 'one', filler: { mid: { from: 'F', count: 1 } } }];
    const C = [{ id: 'A', duration: 'PT60M', chapters: ['PT6M'] }];
    const found = answer({ slots, collections: { C, F: 'F5' }, window: [0, 1] });
    expect(airs(found)).toBe('A0:00 F0:06 A0:11 next 1:05');
    expect(found.items).toMatchObject([
      { kind: 'program', in: 0, out: 360_000, guide: 1 },
      { kind: 'filler', filler: 'mid', in: 0, out: 300_000, guide: 1 },
      { kind: 'program', in: 360_000, out: 3_600_000, guide: 1 },
    ]);
  });

  it.each([
    ['an empty collection', { pad: 'PT60M', from: 'N' }],
    ['none at all', { pad: 'PT60M' }],
  ])('14: a pad from %s is filled by the fallback, cut to its end', (_, post) => {
    const slots = [{ id: 's', play: 'C', mode: 'one', filler: { post, fallback: { from: 'G' } } }];
    const found = answer({ slots, collections: { C: 'A45', G: 'G2', N: '' }, window: [0, 1] });
    expect(airs(found)).toBe('A0:00 G0:45 G0:47 G0:49 G0:51 G0:53 G0:55 G0:57 G0:59 next 1:00');
    expect(found.items.at(-1)).toMatchObject({ kind: 'filler', filler: 'fallback', in: 0, out: 60_000 });
  });

  it('15: a mid-roll without a break is a post-roll', () => {
    const slots = [{ id: 's', play: 'C', mode: 'one', filler: { mid: { from: 'F' } } }];
    const found = answer({ slots, collections: { C: 'A60', F: 'F5' }, window: [0, 1] });
    expect(airs(found)).toBe('A0:00 F1:00 next 1:05');
    expect(found.items[1]).toMatchObject({ kind: 'filler', filler: 'post' });
  });

  it('16: a fixed start that is over for today begins at once, or tomorrow', () => {
    const of = (late: string) => ({
      slots: [
        { id: 'first', play: 'C', mode: 'one' },
        { id: 'fixed', play: 'D', mode: 'one', start: '00:05', late },
      ],
      collections: { C: 'A10', D: 'D60' },
      window: [0, 24] as [number, number],
    });
    expect(airs(answer(of('now')))).toMatch(/^A0:00 D0:10 A1:10 D1:20 /);
    const found = answer(of('wait'));
    expect(airs(found)).toBe('A0:00 offline0:10 next 24:00');
    const next = answer({ ...of('wait'), window: [24, 25], cursors: found.cursors });
    expect(airs(next)).toBe('offline24:00 D24:05 next 25:05');
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
      { id: 'c', play: 'N', mode: 'one', start: '20:00' },
    ];
    const found = answer({ slots, collections: { N: '' }, window: [0, 30] });
    expect(found.items).toEqual([
      { kind: 'offline', start: '2026-03-02T06:00:00.000Z', stop: '2026-03-03T12:00:00.000Z' },
    ]);
    expect(found.problems).toMatchObject([
      { code: 'empty-collection', slot: 'a' },
      { code: 'empty-collection', slot: 'b' },
      { code: 'empty-collection', slot: 'c' },
    ]);
  });

  it('19: each day has its own list from its local midnight, and what is on then is not cut', () => {
    const weekend = { when: { weekdays: [6, 7] }, slots: [{ id: 'w', play: 'W', mode: 'flood' }] };
    const found = answer({
      slots: [flood],
      days: [weekend],
      collections: { C: 'A600', W: 'W420' },
      // From Friday midnight until Tuesday.
      window: [96, 192],
    });
    // Monday's list begins at 3:00, when what is on at its midnight ends. That night has lost an hour.
    expect(airs(found)).toBe(
      'A96:00 A106:00 A116:00 W126:00 W133:00 W140:00 W147:00 W154:00 W161:00 A168:00 A178:00 A188:00 next 198:00',
    );
  });

  describe('20: days of the year', () => {
    const on = (date: string, when: object): boolean => {
      const from = `${date}T12:00:00-06:00`;
      const { items } = planRequest({
        zone: 'America/Chicago',
        seed: 1,
        from,
        to: `${date}T12:00:01-06:00`,
        collections: { A: list('A1'), B: list('B1') },
        schedule: {
          slots: [{ id: 'a', play: 'A', mode: 'one' }],
          days: [{ when, slots: [{ id: 'b', play: 'B', mode: 'one' }] }],
        },
      });
      const [first] = items;
      return first?.kind === 'program' && first.media === 'B';
    };

    it.each([
      ['2026-11-14', false],
      ['2026-11-15', true],
      ['2026-12-31', true],
      ['2027-01-01', true],
      ['2027-02-15', true],
      ['2027-02-16', false],
    ])('a stretch may go over New Year: %s', (date, expected) => {
      expect(on(date, { from: '11-15', to: '02-15' })).toBe(expected);
    });

    it.each([
      [{ from: '02-31', to: '02-31' }, ['2026-02-28', '2026-03-01', '2028-02-29', '2026-03-03']],
      [{ from: '04-31', to: '04-31' }, ['2026-04-30', '2026-05-01']],
      [{ months: [4], monthdays: [31] }, ['2026-04-30', '2026-05-01', '2026-03-31']],
      [{ months: [2], monthdays: [30, 31] }, ['2026-02-28', '2026-03-01', '2026-03-02']],
      [{ from: '02-29', to: '02-29' }, ['2026-02-28', '2026-03-01']],
    ])('what never comes never matches: %j', (when, dates) => {
      for (const date of dates) expect(on(date, when)).toBe(false);
    });

    it('a leap day comes every four years', () => {
      expect(on('2028-02-29', { from: '02-29', to: '02-29' })).toBe(true);
    });

    it('all that is given must hold', () => {
      const when = { weekdays: [5], months: [3], monthdays: [13] };
      expect(on('2026-03-13', when)).toBe(true);
      expect(on('2026-03-06', when)).toBe(false);
      expect(on('2026-02-13', when)).toBe(false);
      expect(on('2027-03-13', when)).toBe(false);
      expect(on('2026-07-01', {})).toBe(true);
      expect(on('2026-07-01', { weekdays: [] })).toBe(false);
      expect(on('2026-07-01', { from: '07-01' })).toBe(true);
      expect(on('2026-07-01', { to: '06-30' })).toBe(false);
    });
  });
});
