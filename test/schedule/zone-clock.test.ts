import { DateTime } from 'luxon';
import { describe, expect, it } from 'vitest';
import { ZoneClock } from '../../src/schedule/zone-clock.ts';

const dayMs = 86_400_000;
const wall = (text: string) => Date.parse(`${text}Z`);
const iso = (at: number) => new Date(at).toISOString().replace(':00.000Z', 'Z');

describe('the wall clock of a zone', () => {
  it.each([
    ['an ordinary time', 'America/Chicago', '2026-07-01T20:00', '2026-07-02T01:00Z'],
    ['a time that is skipped', 'America/Chicago', '2026-03-08T02:30', '2026-03-08T08:00Z'],
    ['the last moment before a gap', 'America/Chicago', '2026-03-08T01:59', '2026-03-08T07:59Z'],
    ['the first moment after a gap', 'America/Chicago', '2026-03-08T03:00', '2026-03-08T08:00Z'],
    ['a time that comes twice', 'America/Chicago', '2026-11-01T01:30', '2026-11-01T06:30Z'],
    ['the first moment after that', 'America/Chicago', '2026-11-01T02:00', '2026-11-01T08:00Z'],
    ['a gap of half an hour', 'Australia/Lord_Howe', '2026-10-04T02:15', '2026-10-03T15:30Z'],
    ['half an hour that comes twice', 'Australia/Lord_Howe', '2026-04-05T01:45', '2026-04-04T14:45Z'],
    ['an offset of quarters', 'Asia/Kathmandu', '2026-01-01T00:00', '2025-12-31T18:15Z'],
    ['a midnight that is skipped', 'Africa/Cairo', '2026-04-24T00:00', '2026-04-23T22:00Z'],
    ['a midnight that comes twice', 'America/Havana', '2026-11-01T00:00', '2026-11-01T04:00Z'],
    ['a day that was left out', 'Pacific/Apia', '2011-12-30T12:00', '2011-12-30T10:00Z'],
  ])('%s (%s)', (_, zone, time, expected) => {
    expect(iso(new ZoneClock(zone).first(wall(time)))).toBe(expected);
  });

  it.each([
    ['an ordinary time', 'UTC', '2026-07-01T10:10Z', 30, 20],
    ['now, if it is one', 'UTC', '2026-07-01T10:30Z', 30, 0],
    ['an odd step', 'UTC', '2026-07-01T23:50Z', 7, 5],
    ['midnight, if that is nearer', 'UTC', '2026-07-01T23:58Z', 7, 2],
    ['a clock that goes forward over one', 'America/Chicago', '2026-03-08T01:45-06:00', 120, 75],
    ['a clock that goes forward to one', 'America/Chicago', '2026-03-08T01:45-06:00', 60, 15],
    ['a clock that goes back to one', 'America/Chicago', '2026-11-01T01:45-05:00', 60, 15],
    ['a clock that goes back by half of it', 'Australia/Lord_Howe', '2026-04-05T01:50+11:00', 60, 40],
    ['a clock that goes back by just it', 'Australia/Lord_Howe', '2026-04-05T01:50+11:00', 30, 10],
    ['a zone with an odd offset', 'Asia/Kathmandu', '2026-07-01T10:10+05:45', 30, 20],
  ])('finds the next multiple: %s (%s)', (_, zone, from, step, minutes) => {
    const at = Date.parse(from);
    expect((new ZoneClock(zone).nextMultiple(at, step * 60_000) - at) / 60_000).toBe(minutes);
  });

  it('finds the next multiple that luxon finds minute by minute, around changes of the clock', () => {
    const changes = {
      'America/Chicago': ['2026-03-08T08:00Z', '2026-11-01T07:00Z'],
      'Australia/Lord_Howe': ['2026-04-04T15:00Z', '2026-10-03T15:30Z'],
      'Africa/Cairo': ['2026-04-23T22:00Z', '2026-10-29T21:00Z'],
    };
    for (const [zone, instants] of Object.entries(changes)) {
      const clock = new ZoneClock(zone);
      for (const change of instants.map((instant) => Date.parse(instant))) {
        for (let minutes = -90; minutes < 90; minutes += 11) {
          for (const step of [30, 60, 7]) {
            const at = change + minutes * 60_000;
            let expected = DateTime.fromMillis(at, { zone });
            while ((expected.hour * 60 + expected.minute) % step > 0)
              expected = expected.plus({ minutes: 1 });
            expect(clock.nextMultiple(at, step * 60_000)).toBe(expected.toMillis());
          }
        }
      }
    }
  });

  it('agrees with luxon at any time, and goes on from day to day', () => {
    for (const zone of ['America/Chicago', 'Australia/Lord_Howe', 'Africa/Casablanca', 'America/St_Johns']) {
      const clock = new ZoneClock(zone);
      for (let at = Date.UTC(2006, 0, 1); at < Date.UTC(2007, 0, 1); at += 53 * 60_000) {
        const local = DateTime.fromMillis(at, { zone });
        expect(clock.wall(at) - at).toBe(local.offset * 60_000);
      }
      for (let day = 13_000; day < 13_500; day++) {
        const start = clock.startOf(day);
        expect(clock.startOf(day + 1)).toBeGreaterThan(start);
        expect([clock.dayOf(start), clock.dayOf(start - 1)]).toEqual([day, day - 1]);
      }
    }
  });

  it('begins a day once, where the clock goes back over midnight', () => {
    // Until 2011, the clocks of Newfoundland went back by an hour one minute after midnight.
    const clock = new ZoneClock('America/St_Johns');
    const day = wall('2006-10-29T00:00') / dayMs;
    const midnight = clock.startOf(day);
    expect(iso(midnight)).toBe('2006-10-29T02:30Z');
    expect(iso(clock.wall(midnight + 60_000))).toBe('2006-10-28T23:01Z');
    expect(clock.dayOf(midnight + 60_000)).toBe(day);
  });

  it('has no time on a day that was left out', () => {
    const clock = new ZoneClock('Pacific/Apia');
    const day = wall('2011-12-30T00:00') / dayMs;
    expect(clock.timeOn(day, 0)).toBe(undefined);
    expect(clock.timeOn(day - 1, 0)).toBe(clock.startOf(day - 1));
    expect(clock.startOf(day)).toBe(clock.startOf(day + 1));
    expect(clock.dayOf(clock.startOf(day))).toBe(day + 1);
  });

  it.each([
    ['a multiple already', 'UTC', '2026-01-01T10:30Z', 30, '2026-01-01T10:30Z'],
    ['the next half hour', 'UTC', '2026-01-01T10:31Z', 30, '2026-01-01T11:00Z'],
    [
      'half past, where the offset has quarters',
      'Asia/Kathmandu',
      '2026-01-01T10:31Z',
      30,
      '2026-01-01T10:45Z',
    ],
    ['multiples since midnight', 'UTC', '2026-01-01T23:50Z', 7, '2026-01-01T23:55Z'],
    ['midnight, which is one too', 'UTC', '2026-01-01T23:58Z', 7, '2026-01-02T00:00Z'],
    ['an hour that is skipped', 'America/Chicago', '2026-03-08T07:50Z', 60, '2026-03-08T08:00Z'],
    [
      'two o’clock, which Lord Howe skips',
      'Australia/Lord_Howe',
      '2026-10-03T15:20Z',
      60,
      '2026-10-03T16:00Z',
    ],
    [
      'two o’clock, which comes half an hour late',
      'Australia/Lord_Howe',
      '2026-04-04T14:50Z',
      60,
      '2026-04-04T15:30Z',
    ],
  ])('finds %s (%s)', (_, zone, from, minutes, expected) => {
    expect(iso(new ZoneClock(zone).nextMultiple(Date.parse(from), minutes * 60_000))).toBe(expected);
  });
});
