import { inArray } from 'drizzle-orm';
import { getChannel } from '../db/channels.ts';
import type { Database } from '../db/connection.ts';
import { lastCheckpoint, mediaTitles, type PlayoutRow, rowAt } from '../db/playout.ts';
import { collections } from '../db/schema.ts';
import { DayRules } from '../schedule/days.ts';
import type { EpochMs, FillerKind, ItemReason, Schedule, Slot, When } from '../schedule/types.ts';
import { ZoneClock } from '../schedule/zone-clock.ts';

/** An item, as far as it says why it is on. */
export interface ExplainedItem {
  startsAt: EpochMs;
  endsAt: EpochMs;
  kind: PlayoutRow['kind'];
  media?: { id: string; title: string };
  slot?: string;
  filler?: FillerKind;
}

/** Why something is on at an instant. */
export interface Explanation {
  at: EpochMs;
  zone: string;
  item: ExplainedItem;
  next?: ExplainedItem;
  /** The rule that picks the slots of the item's day: its place in `days`, and what it says; null is the default. */
  day: { rule: number; when: When } | null;
  /** The slot as the schedule has it now; absent when it was removed, and where nothing but time is left. */
  slot?: Slot;
  /** What the item was taken from: by the slot or, if it is filler, by its filler. */
  collection?: { id: string; name: string };
  /** The member of a playlist that it comes from. */
  member?: { id: string; name: string };
  why?: ItemReason;
  /** The joint of the timeline from which it was planned: an edit takes effect at one of these. */
  plannedFrom?: EpochMs;
}

/** Undefined when there is no such channel, or nothing is stored for that instant. */
export async function explain(
  db: Database,
  channelId: string,
  at: EpochMs,
): Promise<Explanation | undefined> {
  const channel = await getChannel(db, channelId);
  const row = channel && (await rowAt(db, channelId, at));
  if (channel === undefined || row === undefined) return undefined;
  const next = await rowAt(db, channelId, row.endsAt);
  const titles = await mediaTitles(
    db,
    [row, next].flatMap((one) => one?.mediaId ?? []),
  );
  const { zone, schedule } = channel;
  const rule = new DayRules(schedule).ruleOn(new ZoneClock(zone).dayOf(row.startsAt));
  const slot = slotOf(schedule, rule, row.slot);
  const source = sourceOf(slot, row);
  const named = await names(db, [source, row.why?.member]);
  const checkpoint = await lastCheckpoint(db, channelId, row.startsAt);
  return {
    ...{ at, zone, item: itemOf(row, titles) },
    ...(next === undefined ? {} : { next: itemOf(next, titles) }),
    day: rule < 0 ? null : { rule, when: schedule.days![rule]!.when },
    ...(slot === undefined ? {} : { slot }),
    ...(source === undefined ? {} : { collection: { id: source, name: named.get(source) ?? source } }),
    ...(row.why?.member === undefined
      ? {}
      : { member: { id: row.why.member, name: named.get(row.why.member) ?? row.why.member } }),
    ...(row.why === null ? {} : { why: row.why }),
    ...(checkpoint === undefined ? {} : { plannedFrom: checkpoint.at }),
  };
}

function itemOf(row: PlayoutRow, titles: ReadonlyMap<string, string>): ExplainedItem {
  return {
    ...{ startsAt: row.startsAt, endsAt: row.endsAt, kind: row.kind },
    ...(row.mediaId === null ? {} : { media: { id: row.mediaId, title: titles.get(row.mediaId) ?? '' } }),
    ...(row.slot === null ? {} : { slot: row.slot }),
    ...(row.filler === null ? {} : { filler: row.filler as FillerKind }),
  };
}

/** In the list of the day, or else in any: what was on air at midnight goes on. */
function slotOf({ slots, days = [] }: Schedule, rule: number, id: string | null): Slot | undefined {
  const lists = [...(rule < 0 ? [] : [days[rule]!.slots]), slots, ...days.map((day) => day.slots)];
  return lists.flat().find((slot) => slot.id === id);
}

function sourceOf(slot: Slot | undefined, row: PlayoutRow): string | undefined {
  if (row.kind === 'offline') return undefined;
  return row.filler === null ? slot?.play : slot?.filler?.[row.filler as FillerKind]?.from;
}

async function names(db: Database, ids: readonly (string | undefined)[]): Promise<Map<string, string>> {
  const wanted = ids.filter((id) => id !== undefined);
  if (wanted.length === 0) return new Map();
  const { id, name } = collections;
  const rows = await db.select({ id, name }).from(collections).where(inArray(id, wanted));
  return new Map(rows.map((row) => [row.id, row.name]));
}
