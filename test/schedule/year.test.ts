import fc from 'fast-check';
import { DateTime } from 'luxon';
import { describe, expect, it } from 'vitest';
import { plan } from '../../src/schedule/plan.ts';
import type { PlanItem, PlanOutput, Slot } from '../../src/schedule/types.ts';
import { hour, inputOf, media, minute } from './planning.ts';

// A year of fixed starts, in zones whose clocks change in every way that there is: by an hour, by half an hour,
// never, and twice around Ramadan.

const zones = [
  'America/Chicago',
  'Europe/London',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'Africa/Casablanca',
] as const;

const collections = {
  films: [47, 88, 25, 113].map((minutes, index) => media(`film${index}`, minutes)),
  news: [media('news', 10)],
  spots: [media('spot', 0.5), media('long spot', 3)],
};

function yearOf(zone: string, slots: Slot[], year = 2026): PlanOutput {
  const from = DateTime.fromObject({ year }, { zone }).toMillis();
  const to = DateTime.fromObject({ year: year + 1 }, { zone }).toMillis();
  return plan(inputOf(slots, collections, { zone, from, to }));
}

function newsAt(start: string): Slot[] {
  const flood = {
    play: 'films',
    order: 'custom',
    mode: 'flood',
    filler: { tail: { from: 'spots' } },
  } as const;
  return [
    { ...flood, id: `before ${start}` },
    { id: start, play: 'news', order: 'custom', mode: 'one', start },
  ];
}

/** When the clock of a zone shows a time on a day: the first time, or the first instant after a gap. */
function shows(date: DateTime, start: string): number {
  const form = "yyyy-MM-dd'T'HH:mm";
  const time = `${date.toISODate()}T${start}`;
  const at = DateTime.fromISO(time, { zone: date.zone });
  if (at.toFormat(form) === time) {
    return Math.min(...at.getPossibleOffsets().map((possible) => possible.toMillis()));
  }
  let minutely = at.minus({ hours: 3 });
  while (minutely.toFormat(form) < time) minutely = minutely.plus({ minutes: 1 });
  return minutely.toMillis();
}

function daysOf(zone: string, year: number): DateTime[] {
  const first = DateTime.fromObject({ year }, { zone });
  return Array.from({ length: first.daysInYear }, (_, days) => first.plus({ days }));
}

function startsOf(items: readonly PlanItem[], slot: string): number[] {
  return items.filter((item) => item.kind === 'program' && item.slot === slot).map((item) => item.start);
}

describe.each(zones)('a year in %s', (zone) => {
  const starts = ['00:00', '01:30', '02:15', '06:45', '20:00', '23:45'];
  const year = yearOf(
    zone,
    starts.flatMap((start) => newsAt(start)),
  );

  it.each(starts)('the slot at %s airs then on every day', (start) => {
    const expected = daysOf(zone, 2026).map((date) => shows(date, start));
    expect(startsOf(year.items, start)).toEqual(expected);
  });

  it('has no hole and no overlap', () => {
    const wrong = year.items.find((item, index) => index > 0 && item.start !== year.items[index - 1]!.stop);
    expect(wrong).toBe(undefined);
    expect(year.problems).toEqual([]);
  });

  it('airs at any time of day, whatever has to end before', () => {
    fc.assert(
      fc.property(fc.nat(1439), fc.constantFrom(2024, 2025, 2026, 2027), (at, which) => {
        const start = `${String(Math.floor(at / 60)).padStart(2, '0')}:${String(at % 60).padStart(2, '0')}`;
        const { items } = yearOf(zone, newsAt(start), which);
        expect(startsOf(items, start)).toEqual(daysOf(zone, which).map((date) => shows(date, start)));
      }),
      { numRuns: 8 },
    );
  });
});

it('the days of these years have 23, 23.5, 24, 24.5 and 25 hours', () => {
  const lengths = zones.flatMap((zone) =>
    daysOf(zone, 2026).map((date) => (date.plus({ days: 1 }).toMillis() - date.toMillis()) / hour),
  );
  expect([...new Set(lengths)].sort((a, b) => a - b)).toEqual([23, 23.5, 24, 24.5, 25]);
});

it('a rule for days begins at every local midnight, however long the day', () => {
  for (const zone of zones) {
    const year = 2026;
    const from = DateTime.fromObject({ year }, { zone }).toMillis();
    const to = DateTime.fromObject({ year: year + 1 }, { zone }).toMillis();
    const one = (id: string): Slot => ({ id, play: 'films', order: 'custom', mode: 'flood' });
    const days = [{ when: { weekdays: [1, 3, 5, 7] }, slots: [one('odd')] }];
    const { items } = plan(inputOf([one('even')], collections, { zone, from, to, days }));
    const wrong = items.find((item) => {
      const odd = DateTime.fromMillis(item.start, { zone }).weekday % 2 === 1;
      return item.slot !== (odd ? 'odd' : 'even');
    });
    expect(wrong).toBe(undefined);
    expect(items.length).toBeGreaterThan((365 * 24 * hour) / (113 * minute));
  }
});
