import { inArray } from 'drizzle-orm';
import { getChannel } from '../db/channels.ts';
import type { Database } from '../db/connection.ts';
import {
  lastCheckpoint,
  mediaTitles,
  type PlayoutRow,
  programmeBeside,
  rowAt,
  timelineExtent,
} from '../db/playout.ts';
import { collections } from '../db/schema.ts';
import { DayRules } from '../schedule/days.ts';
import type {
  EpochMs,
  FillerKind,
  ItemReason,
  PlanProblem,
  Schedule,
  Slot,
  When,
} from '../schedule/types.ts';
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
  now: EpochMs;
  zone: string;
  item: ExplainedItem;
  /** The nearest programmes before and after it, if it is none itself. */
  before?: ExplainedItem;
  after?: ExplainedItem;
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
  /** What stands in the way of its slot. */
  problems: PlanProblem[];
  /** What starts before this is not changed by an edit. */
  frozenUntil: EpochMs;
  /** The joint of the timeline from which it was planned: an edit takes effect at one of these. */
  plannedFrom?: EpochMs;
}

export interface ExplainRequest {
  channelId: string;
  at: EpochMs;
  now: EpochMs;
  freezeMs: number;
  /** Those that the channel has now. */
  problems: readonly PlanProblem[];
}

/** Why something is on, or why nothing can be said of that instant. Undefined when there is no such channel. */
export async function explain(
  db: Database,
  request: ExplainRequest,
): Promise<Explanation | { nothing: string } | undefined> {
  const { channelId, at, now, freezeMs, problems } = request;
  const channel = await getChannel(db, channelId);
  if (channel === undefined) return undefined;
  const row = await rowAt(db, channelId, at);
  if (row === undefined) return { nothing: await whyNothing(db, channelId, at) };
  const next = await rowAt(db, channelId, row.endsAt);
  const isProgramme = row.kind === 'program';
  const before = isProgramme ? undefined : await programmeBeside(db, channelId, row, 'before');
  const after = isProgramme ? undefined : await programmeBeside(db, channelId, row, 'after');
  const rows = [row, next, before, after];
  const titles = await mediaTitles(db, [...new Set(rows.flatMap((one) => one?.mediaId ?? []))]);
  const { zone, schedule } = channel;
  const rule = new DayRules(schedule).ruleOn(new ZoneClock(zone).dayOf(row.startsAt));
  const slot = slotOf(schedule, rule, row.slot);
  const source = sourceOf(slot, row);
  const member = row.why?.member;
  const names = await namesOf(db, [source, member]);
  const checkpoint = await lastCheckpoint(db, channelId, row.startsAt);
  return {
    ...{ at, now, zone, item: itemOf(row, titles), frozenUntil: now + freezeMs },
    ...(next === undefined ? {} : { next: itemOf(next, titles) }),
    ...(before === undefined ? {} : { before: itemOf(before, titles) }),
    ...(after === undefined ? {} : { after: itemOf(after, titles) }),
    day: rule < 0 ? null : { rule, when: schedule.days![rule]!.when },
    ...(slot === undefined ? {} : { slot }),
    ...(source === undefined ? {} : { collection: { id: source, name: names.get(source) ?? source } }),
    ...(member === undefined ? {} : { member: { id: member, name: names.get(member) ?? member } }),
    ...(row.why === null ? {} : { why: row.why }),
    problems: problems.filter((problem) => row.slot === null || problem.slot === row.slot),
    ...(checkpoint === undefined ? {} : { plannedFrom: checkpoint.at }),
  };
}

async function whyNothing(db: Database, channelId: string, at: EpochMs): Promise<string> {
  const extent = await timelineExtent(db, channelId, at);
  if (extent === undefined) return 'The channel has no timeline yet: it is about to be planned.';
  const [begins, ends] = [extent.startsAt, extent.endsAt].map((instant) => new Date(instant).toISOString());
  if (at < extent.startsAt) {
    return `The timeline begins at ${begins}. What was on before that is not kept (playout.keepPastHours).`;
  }
  if (at >= extent.endsAt) {
    return `The timeline reaches to ${ends}. What comes then is decided when it is made longer; a preview of the schedule shows what it would be.`;
  }
  return 'There is a hole in the timeline at that instant; it is about to be filled.';
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

async function namesOf(db: Database, ids: readonly (string | undefined)[]): Promise<Map<string, string>> {
  const wanted = ids.filter((id) => id !== undefined);
  if (wanted.length === 0) return new Map();
  const { id, name } = collections;
  const rows = await db.select({ id, name }).from(collections).where(inArray(id, wanted));
  return new Map(rows.map((row) => [row.id, row.name]));
}
