import { createHash } from 'node:crypto';
import ical from 'ical-generator';
import { DayRules } from './days.ts';
import { titlesOf } from './print.ts';
import type { EpochMs, PlanInput, PlanItem, PlanOutput } from './types.ts';
import { ZoneClock } from './zone-clock.ts';

/**
 * What the guide would show, as an iCalendar (RFC 5545): an event for each of its entries, in UTC. What is hidden in
 * the guide is not in it.
 */
export function planCalendar(input: PlanInput, { items }: PlanOutput): string {
  const titles = titlesOf(input);
  const guideTitleOf = guideTitles(input);
  const calendar = ical({
    name: 'aircheck',
    prodId: { company: 'aircheck', product: 'plan', language: 'EN' },
  });
  for (const entry of entriesOf(items)) {
    calendar.createEvent({
      id: idOf(entry),
      // When the calendar was made is not known here: a plan is the same at any time.
      stamp: new Date(input.from),
      start: new Date(entry.start),
      end: new Date(entry.stop),
      summary: printable(guideTitleOf(entry) ?? titles.get(entry.media) ?? entry.media),
    });
  }
  return `${calendar.toString()}\r\n`;
}

interface Entry {
  start: EpochMs;
  stop: EpochMs;
  /** Of its first programme, and when that begins. */
  slot: string;
  media: string;
  programmeStart: EpochMs;
}

/** Filler alone is no entry. */
function entriesOf(items: readonly PlanItem[]): Entry[] {
  const groups = new Map<number, PlanItem[]>();
  for (const item of items) {
    if (item.guide === undefined) continue;
    const group = groups.get(item.guide);
    if (group === undefined) groups.set(item.guide, [item]);
    else group.push(item);
  }
  return [...groups.values()].flatMap((group) => {
    const first = group.find((item) => item.kind === 'program');
    if (first === undefined) return [];
    const { slot, media, start: programmeStart } = first;
    return [{ start: group[0]!.start, stop: group.at(-1)!.stop, slot, media, programmeStart }];
  });
}

/** The title under which a slot is shown. Slots of one id may have another one on other days. */
function guideTitles({ schedule, zone }: PlanInput): (entry: Entry) => string | undefined {
  const clock = new ZoneClock(zone);
  const rules = new DayRules(schedule);
  const lists = [schedule, ...(schedule.days ?? [])].map(
    ({ slots }) => new Map(slots.map(({ id, guide }) => [id, guide?.title])),
  );
  return ({ slot, programmeStart }) => lists[rules.ruleOn(clock.dayOf(programmeStart)) + 1]?.get(slot);
}

/** Control characters have no place in a calendar, but for the ends of lines. */
function printable(title: string): string {
  return title.replace(/\r\n?/g, '\n').replace(/[^\P{Cc}\n\t]+/gu, ' ');
}

/** The same for the same programme at the same time, so that a calendar can be imported again. */
function idOf({ slot, media, start }: Entry): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([slot, media, start]))
    .digest('hex');
  return `${hash.slice(0, 32)}@aircheck`;
}
