import { createHash } from 'node:crypto';
import ical from 'ical-generator';
import { titlesOf } from './print.ts';
import type { EpochMs, PlanInput, PlanItem, PlanOutput, Slot } from './types.ts';

/** What the guide would show, as an iCalendar (RFC 5545): an event for each of its entries, in UTC. */
export function planCalendar(input: PlanInput, { items }: PlanOutput): string {
  const titles = titlesOf(input);
  const slots = slotsOf(input);
  const calendar = ical({
    name: 'aircheck',
    prodId: { company: 'aircheck', product: 'plan', language: 'EN' },
  });
  for (const entry of entriesOf(items)) {
    const summary = slots.get(entry.slot)?.guide?.title ?? titles.get(entry.media) ?? entry.media;
    calendar.createEvent({
      id: idOf(entry),
      // When the calendar was made is not known here: a plan is the same at any time.
      stamp: new Date(input.from),
      start: new Date(entry.start),
      end: new Date(entry.stop),
      summary,
    });
  }
  return calendar.toString();
}

interface Entry {
  guide: number;
  start: EpochMs;
  stop: EpochMs;
  /** Of its first programme. */
  slot: string;
  media: string;
}

/** Filler alone is no entry. */
function entriesOf(items: readonly PlanItem[]): Entry[] {
  const entries = new Map<
    number,
    { start: EpochMs; stop: EpochMs; first?: { slot: string; media: string } }
  >();
  for (const item of items) {
    if (item.guide === undefined) continue;
    const entry = entries.get(item.guide) ?? { start: item.start, stop: item.stop };
    entry.stop = item.stop;
    if (item.kind === 'program') entry.first ??= { slot: item.slot, media: item.media };
    entries.set(item.guide, entry);
  }
  return [...entries].flatMap(([guide, { start, stop, first }]) =>
    first ? [{ guide, start, stop, ...first }] : [],
  );
}

function slotsOf({ schedule }: PlanInput): Map<string, Slot> {
  const all = [schedule, ...(schedule.days ?? [])].flatMap(({ slots }) => slots);
  return new Map(all.map((slot) => [slot.id, slot]));
}

/** The same for the same programme at the same time, so that a calendar can be imported again. */
function idOf({ slot, media, start }: Entry): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([slot, media, start]))
    .digest('hex');
  return `${hash.slice(0, 32)}@aircheck`;
}
