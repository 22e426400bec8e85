import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foldProgrammes, type GuideRow, longestRunMs, type Programme } from '../../src/guide/programmes.ts';
import { evening, guideWindow, hour, media, minute, row } from './lineup.ts';

const window = guideWindow(evening, 30);

/** Rows one after the other from the window's beginning, each so many minutes long; then offline. */
function timeline(...parts: [minutes: number, given?: Partial<GuideRow>][]): GuideRow[] {
  let at = window.from;
  const rows = parts.map(([minutes, given = {}], index) => {
    const start = at;
    at += minutes * minute;
    return row(start, at, { guide: index + 1, media: media({ title: `${index}` }), ...given });
  });
  return [...rows, row(at, window.to, { kind: 'offline', guide: null, media: undefined })];
}

function titles(programmes: Programme[]): [string | undefined, number][] {
  return programmes.map(({ media: [shown], start }) => [shown?.title, (start - window.from) / minute]);
}

describe('folding rows into programmes', () => {
  it('shows rows of one guide number as one programme', () => {
    const folded = foldProgrammes(
      timeline([60, { guide: 7 }], [5, { guide: 7, kind: 'filler' }], [20, { guide: 7 }], [60, { guide: 8 }]),
      window,
    );
    expect(titles(folded).slice(0, 3)).toEqual([
      ['0', 0],
      ['3', 85],
      [undefined, 145],
    ]);
    expect(folded[0]?.lengthMs).toBe(80 * minute);
  });

  it('gives what is hidden to the programme before it, and at the beginning to the one after', () => {
    const hidden = { guide: null, kind: 'filler' } as const;
    const folded = foldProgrammes(timeline([3, hidden], [30], [5, hidden], [5, hidden], [30]), window);
    expect(titles(folded).slice(0, 3)).toEqual([
      ['1', 0],
      ['4', 43],
      [undefined, 73],
    ]);
    expect(folded[0]?.lengthMs).toBe(30 * minute);
  });

  it('joins a programme across a hidden break', () => {
    const folded = foldProgrammes(
      timeline([30, { guide: 4 }], [5, { guide: null }], [30, { guide: 4 }]),
      window,
    );
    expect(titles(folded).slice(0, 2)).toEqual([
      ['0', 0],
      [undefined, 65],
    ]);
  });

  it('describes a programme by its first media, not by the filler in front', () => {
    const folded = foldProgrammes(timeline([5, { guide: 1, kind: 'filler' }], [30, { guide: 1 }]), window);
    expect(titles(folded)[0]).toEqual(['1', 0]);
  });

  it('gives what is shorter than a second to its neighbour', () => {
    const short = 0.4 / 60;
    const folded = foldProgrammes(timeline([short], [30], [short], [short], [30]), window);
    expect(titles(folded).slice(0, 2)).toEqual([
      ['1', 0],
      ['4', expect.closeTo(30, 1)],
    ]);
  });

  it('shows long stretches of nothing in pieces whose starts never move', () => {
    const offline = { kind: 'offline', guide: null, media: undefined } as const;
    const now = evening + 10 * minute;
    const rows = Array.from({ length: 700 }, (_, index) =>
      row(evening - 13 * hour + index * 5 * minute, evening - 13 * hour + (index + 1) * 5 * minute, offline),
    );
    const at = (later: number) => {
      const moved = { now: now + later, from: evening - 6 * hour, to: evening + 48 * hour };
      return foldProgrammes(rows.slice(later / (5 * minute)), moved);
    };
    expect(at(0).map(({ start }) => (start - evening) / hour)).toEqual([-6, 0, 6, 12, 18, 24, 30, 36, 42]);
    expect(at(hour)).toEqual(at(0));
  });

  it('shows a channel without a timeline under its own name, from now on', () => {
    const folded = foldProgrammes([], { ...window, now: evening + hour });
    expect(folded[0]?.start).toBe(evening);
    expect(folded.at(-1)?.stop).toBe(window.to);
    expect(folded.every(({ kind, media: shown }) => kind === 'off-air' && shown.length === 0)).toBe(true);
  });

  it('does not invent a programme behind a timeline that reaches far enough', () => {
    const rows = [row(evening - hour, evening + 25 * hour)];
    expect(foldProgrammes(rows, window)).toHaveLength(1);
  });

  it('goes on under the channel name where the timeline has ended', () => {
    const rows = [row(evening - 9 * hour, evening - hour)];
    expect(titles(foldProgrammes(rows, window)).slice(0, 2)).toEqual([
      ['A Title', -7 * 60],
      [undefined, 60],
    ]);
  });

  it('shows the run of a slot that has a title as one entry, with everything that airs in it', () => {
    const [one, two] = [media({ title: 'One' }), media({ title: 'Two' })];
    const folded = foldProgrammes(
      timeline(
        [5, { guide: 7, slot: 'afternoon', kind: 'filler' }],
        [60, { guide: 7, slot: 'evening', media: one }],
        [5, { guide: 7, slot: 'evening', kind: 'filler' }],
        [30, { guide: 7, slot: 'evening', media: two }],
        [30, { guide: 7, slot: 'evening', media: one }],
        [60, { guide: 8, slot: 'night' }],
      ),
      window,
      new Map([
        ['afternoon', 'Afternoon block'],
        ['evening', 'Evening block'],
      ]),
    );
    expect(folded[0]).toMatchObject({ title: 'Evening block', media: [one, two], lengthMs: 120 * minute });
    expect(folded[0]!.stop - folded[0]!.start).toBe(130 * minute);
    expect(folded[1]!.title).toBeUndefined();
  });

  it('shows a run without an end in pieces whose starts never move, each with what airs in it', () => {
    const titles = new Map([['all-day', 'All day']]);
    const rows = Array.from({ length: 40 }, (_, index) =>
      row(evening + (index * 2 - 30) * hour, evening + (index * 2 - 28) * hour, {
        guide: 1,
        slot: 'all-day',
        media: media({ title: `${index}` }),
      }),
    );
    const at = (later: number) => {
      const moved = { now: evening + later, from: evening - 2 * hour, to: evening + 40 * hour };
      // As they are read: from half a day before the window on.
      return foldProgrammes(
        rows.filter((each) => each.endsAt > moved.from - longestRunMs + later),
        moved,
        titles,
      );
    };
    const folded = at(0);
    expect(folded.map(({ start }) => (start - evening) / hour)).toEqual([-6, 0, 6, 12, 18, 24, 30, 36]);
    expect(folded[1]!.media.map(({ title }) => title)).toEqual(['15', '16', '17']);
    expect(folded.every(({ title }) => title === 'All day')).toBe(true);
    expect(at(hour)).toEqual(folded);
  });

  it('leaves one long file in one piece', () => {
    const folded = foldProgrammes([row(evening - hour, evening + 20 * hour)], guideWindow(evening, 12));
    expect(folded[0]).toMatchObject({ start: evening - hour, stop: evening + 20 * hour });
  });

  it('gives what is off air within an entry to that entry', () => {
    const offline = { kind: 'offline', media: undefined } as const;
    const folded = foldProgrammes(timeline([50, { guide: 1 }], [10, { ...offline, guide: 1 }], [60]), window);
    expect(titles(folded).slice(0, 2)).toEqual([
      ['0', 0],
      ['2', 60],
    ]);
    expect(folded[0]?.lengthMs).toBe(50 * minute);
  });

  it('is off air where an entry has nothing on, and side by side that is one stretch', () => {
    const offline = { kind: 'offline', media: undefined } as const;
    const folded = foldProgrammes(
      timeline([60], [30, { ...offline, guide: 5 }], [30, { ...offline, guide: null }], [60]),
      window,
    );
    expect(folded.slice(0, 3).map(({ kind, start }) => [kind, (start - window.from) / minute])).toEqual([
      ['programme', 0],
      ['off-air', 60],
      ['programme', 120],
    ]);
  });

  it('has no programme for a slot that is hidden, and no hole', () => {
    const folded = foldProgrammes(timeline([60], [45, { guide: null }], [60]), window);
    expect(titles(folded).slice(0, 2)).toEqual([
      ['0', 0],
      ['2', 105],
    ]);
    expect(folded[0]!.stop).toBe(folded[1]!.start);
  });

  it('refuses a row whose times cannot be read', () => {
    expect(() => foldProgrammes([row(evening, Number.NaN)], window)).toThrow(RangeError);
  });

  it('is not held up by a row that never ends', () => {
    const rows = [row(evening, Date.UTC(9999, 0), { kind: 'offline', guide: null, media: undefined })];
    expect(foldProgrammes(rows, window).length).toBeLessThan(10);
  });
});

interface Part {
  length: number;
  kind: GuideRow['kind'];
  guide: string;
  shift: number;
}

describe('whatever the rows are', () => {
  const length = fc.oneof(
    fc.integer({ min: 1, max: 2_500 }),
    fc.integer({ min: 1_000, max: 3 * hour }),
    fc.constantFrom(1, 499, 500, 501, 999, 1_000, 1_001, 30 * minute, 13 * hour),
  );
  const part: fc.Arbitrary<Part> = fc.record({
    length,
    kind: fc.constantFrom<GuideRow['kind'][]>('program', 'program', 'filler', 'offline'),
    guide: fc.constantFrom('same', 'new', 'new', 'hidden'),
    // Beyond the contract: a hole or an overlap, as two reads around an edit could show.
    shift: fc.oneof(
      { weight: 20, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: -hour, max: hour }) },
    ),
  });
  const timelines = fc.record({
    parts: fc.array(part, { maxLength: 60 }),
    start: fc.integer({ min: evening - 60 * hour, max: evening + 3 * hour }),
    now: fc.integer({ min: evening, max: evening + 6 * hour }),
  });

  function rowsOf(parts: readonly Part[], start: number): GuideRow[] {
    let at = start;
    let guide = 0;
    return parts.map((each) => {
      const startsAt = at + each.shift;
      at = startsAt + each.length;
      if (each.guide === 'new') guide += 1;
      return row(startsAt, at, { kind: each.kind, guide: each.guide === 'hidden' ? null : guide });
    });
  }

  it('programmes follow each other without a gap or an overlap, in whole seconds, and one is on now', () => {
    fc.assert(
      fc.property(timelines, ({ parts, start, now }) => {
        const moving = guideWindow(now, 24 * 3);
        const rows = rowsOf(parts, start).sort((a, b) => a.endsAt - b.endsAt || a.startsAt - b.startsAt);
        const folded = foldProgrammes(rows, moving);
        for (const [index, programme] of folded.entries()) {
          expect(programme.start % 1000).toBe(0);
          expect(programme.stop - programme.start).toBeGreaterThanOrEqual(1000);
          expect(programme.stop).toBeGreaterThan(moving.from - 1000);
          if (index > 0) expect(programme.start).toBe(folded[index - 1]?.stop);
        }
        expect(folded[0]!.start).toBeLessThanOrEqual(now + 500);
        expect(folded.at(-1)!.stop).toBeGreaterThan(now + 23 * hour);
      }),
      { numRuns: 500 },
    );
  });

  it('a programme starts when its first row does, and nothing visible is missing', () => {
    const visible = part.map((each) => ({ ...each, shift: 0, length: Math.max(each.length, 1000) }));
    fc.assert(
      fc.property(fc.array(visible, { maxLength: 60 }), (parts) => {
        const rows = rowsOf(parts, evening - hour);
        const folded = foldProgrammes(rows, guideWindow(evening));
        const starts = new Set(folded.map((programme) => programme.start));
        let last: number | null = null;
        for (const [index, each] of rows.entries()) {
          const inWindow = each.startsAt < evening + 48 * hour;
          const isShown = each.guide !== null && each.kind !== 'offline';
          if (isShown && each.guide !== last && index > 0 && inWindow) {
            const before = rows
              .slice(0, index)
              .some((earlier) => earlier.guide !== null || earlier.kind === 'offline');
            if (before) expect(starts).toContain(Math.round(each.startsAt / 1000) * 1000);
          }
          if (each.guide !== null || each.kind === 'offline') last = each.guide;
        }
      }),
      { numRuns: 300 },
    );
  });
});
