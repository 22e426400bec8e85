import { DateTime } from 'luxon';
import type { EpochMs, FillerKind, ItemReason, Order, Slot, When } from '../schedule/types.ts';
import type { ExplainedItem, Explanation } from './explain.ts';

/** Why something is on, in sentences for a person. */
export function inWords(explanation: Explanation): string[] {
  const { item, next, zone } = explanation;
  const clock = (at: EpochMs) => DateTime.fromMillis(at, { zone, locale: 'en' });
  const from = clock(item.startsAt);
  return [
    `${subject(item)} from ${from.toFormat('cccc d LLLL yyyy HH:mm:ss')} to ${clock(item.endsAt).toFormat('HH:mm:ss')} (${zone}).`,
    dayRule(explanation.day),
    ...slotWords(explanation),
    ...choice(explanation),
    ...(explanation.plannedFrom === undefined
      ? []
      : [`It was planned from the joint at ${clock(explanation.plannedFrom).toFormat('d LLLL HH:mm:ss')}.`]),
    next === undefined ? 'Nothing is planned after it yet.' : `Then ${named(next)} follows.`,
  ];
}

function subject(item: ExplainedItem): string {
  return item.kind === 'offline' ? 'The channel is offline' : `${capital(named(item))} is on`;
}

function named({ kind, media, filler }: ExplainedItem): string {
  if (kind === 'offline') return 'being offline';
  const title = media === undefined ? 'a media that is no longer in the library' : `"${media.title}"`;
  return kind === 'filler' ? `the ${fillerNames[filler!]} ${title}` : title;
}

const fillerNames: Record<FillerKind, string> = {
  pre: 'pre-roll',
  mid: 'mid-roll',
  post: 'post-roll',
  tail: 'tail filler',
  fallback: 'fallback filler',
};

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
  if (item.slot === undefined) {
    return item.kind === 'offline' ? ['No slot of that day has anything to play.'] : [];
  }
  if (slot === undefined)
    return [`It is of the slot "${item.slot}", which the schedule does not have any more.`];
  const start = slot.start === undefined ? 'follows the slot before it' : `starts at ${slot.start}`;
  const words = `The slot "${slot.id}" ${start} and plays ${modeWords(slot)}.`;
  if (item.kind !== 'offline') return [words];
  return [words, 'Nothing fills what is left of its time.'];
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
      return `for ${slot.duration}`;
  }
}

function choice({ why, collection, member }: Explanation): string[] {
  if (why === undefined) return [];
  const source = collection === undefined ? 'its collection' : `the collection "${collection.name}"`;
  const of = member === undefined ? source : `${source}, of which "${member.name}" has its turn`;
  return [`It comes from ${of}, ${orderWords(why)}.`];
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
  const place = position === undefined ? '' : `: item ${position}`;
  return `${orderNames[order]}${place}${cycle === undefined ? '' : ` of round ${cycle}`}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
