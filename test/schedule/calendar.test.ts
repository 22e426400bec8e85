import ICAL from 'ical.js';
import { describe, expect, it } from 'vitest';
import { planCalendar } from '../../src/schedule/calendar.ts';
import { plan } from '../../src/schedule/plan.ts';
import type { PlanInput } from '../../src/schedule/types.ts';
import { hour, inputOf, media, minute, slot } from './planning.ts';

const calendarOf = (input: PlanInput) => planCalendar(input, plan(input));

/** As the parser that Thunderbird uses reads them. */
function eventsOf(text: string): { uid: string; start: string; end: string; summary: string }[] {
  const calendar = new ICAL.Component(ICAL.parse(text));
  return calendar.getAllSubcomponents('vevent').map((component) => {
    const { uid, startDate, endDate, summary } = new ICAL.Event(component);
    const iso = (time: typeof startDate) => time.toJSDate().toISOString();
    return { uid, start: iso(startDate), end: iso(endDate), summary };
  });
}

const titleRead = (title: string) =>
  eventsOf(calendarOf(inputOf([slot('s', 'A')], { A: [media('a', 60, { title })] }, { to: 1 })))[0]!.summary;

describe('a plan as a calendar', () => {
  it('has an event for each entry of the guide, with the filler that belongs to it', () => {
    const slots = [
      slot('a', 'A', { mode: 'one', filler: { pre: { from: 'F' }, post: { pad: 'PT30M' } } }),
      slot('b', 'A', { mode: 'multiple', count: 2, guide: { title: 'Block' } }),
      slot('c', 'A', { mode: 'one', guide: { hide: true } }),
    ];
    const collections = { A: [media('x', 60, { title: 'X' })], F: [media('f', 10)] };
    const events = eventsOf(calendarOf(inputOf(slots, collections, { to: 5 * hour })));
    expect(
      events.map(({ summary, start, end }) => [summary, start.slice(11, 16), end.slice(11, 16)]),
    ).toEqual([
      ['X', '00:00', '01:30'],
      ['Block', '01:30', '03:30'],
      ['X', '04:30', '06:00'],
    ]);
  });

  it.each([
    'Commas, semicolons; colons: and "quotes"',
    'back\\slash \\n \\, and 100 %',
    'two\nlines',
    '🎬🎞️ 東京 Ω é – 👨‍👩‍👧',
    'BEGIN:VEVENT',
    ' spaces around ',
    'long, '.repeat(80),
    '🎬'.repeat(200),
    `a${'é'.repeat(120)}`,
  ])('keeps the title as it is: %j', (title) => {
    expect(titleRead(title)).toBe(title);
  });

  it('leaves out what no calendar can hold', () => {
    expect(titleRead('bell\u0007, escape\u001B[31m, carriage\r\nreturn\ttab')).toBe(
      'bell , escape [31m, carriage\nreturn\ttab',
    );
  });

  it('has lines of 75 octets at most, each ended by CRLF (RFC 5545 3.1)', () => {
    const titles = ['🎬'.repeat(99), `a${'é'.repeat(99)}`, 'x'.repeat(300), 'a, b; c\\ '.repeat(40)];
    const A = titles.map((title, i) => media(`${i}`, 60, { title }));
    const text = calendarOf(inputOf([slot('s', 'A')], { A }, { to: 4 * hour }));
    expect(text.endsWith('END:VCALENDAR\r\n')).toBe(true);
    const lines = text.slice(0, -2).split('\r\n');
    expect(lines.filter((line) => Buffer.byteLength(line) > 75)).toEqual([]);
    expect(lines.filter((line) => /[\r\n]/.test(line) || line === '')).toEqual([]);
    // No letter is torn apart.
    expect(Buffer.from(text).toString()).toBe(text);
    for (const key of ['VERSION:2.0', 'PRODID:-//aircheck//plan//EN']) expect(lines).toContain(key);
    expect(lines.filter((line) => /^(UID|DTSTAMP|DTSTART|DTEND):/.test(line))).toHaveLength(16);
  });

  it('is the same at any time, and names the same programme the same way', () => {
    const input = (to: number) => inputOf([slot('s', 'A')], { A: [media('a'), media('b')] }, { to });
    expect(calendarOf(input(3 * hour))).toBe(calendarOf(input(3 * hour)));
    const [short, long] = [calendarOf(input(2 * hour)), calendarOf(input(9 * hour))].map(eventsOf);
    expect(long!.slice(0, 2).map(({ uid }) => uid)).toEqual(short!.map(({ uid }) => uid));
    expect(new Set(long!.map(({ uid }) => uid)).size).toBe(9);
  });

  it('shows a slot that has another title on another day under the one of that day', () => {
    const on = (title: string) => [slot('s', 'A', { guide: { title }, mode: 'multiple', count: 24 })];
    const days = [{ when: { weekdays: [6, 7] }, slots: on('Weekend') }];
    const from = Date.parse('2026-03-06T00:00Z');
    const input = inputOf(on('Week'), { A: [media('a')] }, { from, to: from + 48 * hour, days });
    expect(eventsOf(calendarOf(input)).map(({ summary }) => summary)).toEqual(['Week', 'Weekend']);
  });

  it('has no event for filler alone, nor for nothing', () => {
    const tail = { tail: { from: 'F' } };
    const slots = [slot('s', 'A', { mode: 'one', start: '20:00', filler: tail })];
    const input = inputOf(slots, { A: [media('a')], F: [media('f', 7)] }, { to: 20 * minute });
    expect(eventsOf(calendarOf(input))).toEqual([]);
  });
});
