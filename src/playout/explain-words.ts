import { DateTime, Duration } from 'luxon';
import type { EpochMs, FillerKind, ItemReason, Order, Slot, When } from '../schedule/types.ts';
import type { ExplainedItem, Explanation } from './explain.ts';

/** Why something is on, in sentences for a person. */
export function inWords(explanation: Explanation): string[] {
  const { next, problems } = explanation;
  return [
    subject(explanation),
    dayRule(explanation.day),
    ...slotWords(explanation),
    ...choice(explanation),
    ...fillerWords(explanation),
    ...offlineWords(explanation),
    ...problems.map(({ message }) => `A problem of the slot: ${message}.`),
    ...change(explanation),
    next === undefined ? 'Nothing is planned after it yet.' : `Then comes ${named(next)}.`,
  ];
}

/** When it is, by the clock of the channel, and whether it is over, on, or to come. */
function subject({ item, now, zone }: Explanation): string {
  const time = timeOf(item, now);
  const verb = { past: 'was', present: 'is', future: 'will be' }[time];
  const who = item.kind === 'offline' ? `The channel ${verb} offline` : `${capital(named(item))} ${verb} on`;
  const from = clock(item.startsAt, zone).toFormat("cccc d LLLL yyyy, HH:mm:ss 'to'");
  return `${who}: ${from} ${clock(item.endsAt, zone).toFormat('HH:mm:ss')} (${zone}).`;
}

function dayRule(day: Explanation['day']): string {
  if (day === null) return 'Its day has the default slots.';
  return `Its day has the slots of day rule ${day.rule + 1} (${whenWords(day.when)}).`;
}

const weekdays = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];

function whenWords({ weekdays: days, months, monthdays, from, to }: When): string {
  const parts = [
    days?.map((day) => weekdays[day - 1]).join(', '),
    (from ?? to) && `from ${from ?? '01-01'} to ${to ?? '12-31'}`,
    months && `months ${months.join(', ')}`,
    monthdays && `days ${monthdays.join(', ')} of the month`,
  ].filter(Boolean);
  return parts.length === 0 ? 'every day' : parts.join('; ');
}

function slotWords({ item, slot }: Explanation): string[] {
  if (item.slot === undefined) return [];
  if (slot === undefined)
    return [`It is of the slot "${item.slot}", which the schedule does not have any more.`];
  const start = slot.start === undefined ? 'follows the slot before it' : `starts at ${slot.start}`;
  return [`The slot "${slot.id}" ${start} and plays ${modeWords(slot)}.`];
}

function modeWords(slot: Slot): string {
  switch (slot.mode) {
    case 'flood':
      return 'until the next fixed start';
    case 'one':
      return 'one item';
    case 'multiple':
      return `${slot.count} items`;
    case 'duration':
      return `for ${spoken(slot.duration)}`;
  }
}

function choice({ why, collection, member }: Explanation): string[] {
  if (why === undefined) return [];
  const source = collection === undefined ? 'its collection' : `the collection "${collection.name}"`;
  const of = member === undefined ? source : `${source}, of which "${member.name}" had its turn`;
  return [`It was taken from ${of}, ${orderWords(why)}.`];
}

const orderNames: Record<Order, string> = {
  chronological: 'in chronological order',
  'season-episode': 'by season and episode',
  shuffle: 'shuffled',
  random: 'at random',
  rotate: 'show by show in turn',
  custom: 'in its own order',
};

function orderWords({ order, cycle, position }: ItemReason): string {
  if (position === undefined) return orderNames[order];
  return `${orderNames[order]}: number ${position} of round ${cycle ?? 1}`;
}

function fillerWords({ item, slot, before, after, zone }: Explanation): string[] {
  const programme = (one: ExplainedItem | undefined) => (one === undefined ? 'a programme' : named(one));
  const until = after === undefined ? '' : ` until ${clock(after.startsAt, zone).toFormat('HH:mm:ss')}`;
  const { filler } = item;
  if (filler === undefined) return [];
  switch (filler) {
    case 'pre':
      return [`As a pre-roll it comes before ${programme(after)}.`];
    case 'mid':
      return [`It is in a break of ${programme(before)}.`];
    case 'post': {
      const pad = slot?.filler?.post?.pad;
      const fills = pad === undefined ? '' : `, up to the next multiple of ${spoken(pad)} on the clock`;
      return [`As a post-roll it follows ${programme(before)}${fills}.`];
    }
    case 'tail':
      return [`It fills the time that is left${until}.`];
    case 'fallback':
      return [`It fills what nothing else could fill${until}, and is cut where that ends.`];
  }
}

function offlineWords({ item, slot, after, zone }: Explanation): string[] {
  if (item.kind !== 'offline') return [];
  if (item.slot === undefined) return ['No slot of that day has anything to play.'];
  const { tail, fallback } = slot?.filler ?? {};
  const has = slot?.rest !== 'offline' && (tail !== undefined || fallback !== undefined);
  const why = has
    ? 'none of its filler fits into it'
    : 'it has no filler for it (`tail` or `fallback`), or its `rest` is offline';
  const until = after === undefined ? '' : ` until ${clock(after.startsAt, zone).toFormat('cccc HH:mm:ss')}`;
  return [`Nothing of the slot fits into the time that is left${until}, and ${why}.`];
}

function change({ item, now, frozenUntil }: Explanation): string[] {
  const time = timeOf(item, now);
  if (time === 'past') return [];
  if (time === 'present') return ['It is on air, and stays whatever is edited.'];
  if (item.startsAt >= frozenUntil) return ['It may still change, when the schedule or the library does.'];
  const horizon = Duration.fromMillis(frozenUntil - now).rescale();
  return [
    `It begins within the next ${horizon.toHuman({ listStyle: 'long' })}, and so stays whatever is edited; only a rebuild from now replaces it.`,
  ];
}

function timeOf({ startsAt, endsAt }: ExplainedItem, now: EpochMs): 'past' | 'present' | 'future' {
  if (endsAt <= now) return 'past';
  return startsAt <= now ? 'present' : 'future';
}

function named({ kind, media, filler }: ExplainedItem): string {
  if (kind === 'offline') return 'a time offline';
  const title = media === undefined ? 'a recording that is no longer in the library' : `"${media.title}"`;
  return filler === undefined ? title : `the ${fillerNames[filler]} ${title}`;
}

const fillerNames: Record<FillerKind, string> = {
  pre: 'pre-roll',
  mid: 'mid-roll',
  post: 'post-roll',
  tail: 'filler',
  fallback: 'fallback filler',
};

function clock(at: EpochMs, zone: string): DateTime {
  return DateTime.fromMillis(at, { zone, locale: 'en' });
}

/** An ISO 8601 duration, for a person. */
function spoken(duration: string): string {
  return Duration.fromISO(duration, { locale: 'en' }).rescale().toHuman({ listStyle: 'long' });
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
