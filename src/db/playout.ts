import { join } from 'node:path';
import { and, asc, count, desc, eq, gt, gte, inArray, lt, lte, ne, sql } from 'drizzle-orm';
import { type Checkpoint, type PackedCheckpoints, unpacked } from '../playout/cursor-log.ts';
import type { TimelineItem, TimelineMedia } from '../playout/timeline.ts';
import type { EpochMs } from '../schedule/types.ts';
import type { Database } from './connection.ts';
import { channels, libraries, media, playoutCheckpoints, playoutItems, timelines } from './schema.ts';

export type PlayoutRow = typeof playoutItems.$inferSelect;
export type NewPlayoutRow = Omit<typeof playoutItems.$inferInsert, 'id' | 'channelId'>;

/** Where a channel's timeline begins and ends. */
export interface TimelineExtent {
  startsAt: EpochMs;
  endsAt: EpochMs;
  /** The end of the last item that is not offline. */
  contentEndsAt: EpochMs | undefined;
  /** Whether there is an item on at the instant that was asked for. */
  coversNow: boolean;
}

/** So many rows go into one statement. */
const chunk = 1_000;

/** One page of what is on between two instants, and how many rows there are. */
export async function listPlayout(
  db: Database,
  channelId: string,
  options: { from: EpochMs; to: EpochMs; limit: number; offset?: number | undefined },
): Promise<{ items: PlayoutRow[]; total: number }> {
  const { from, to, limit, offset = 0 } = options;
  const [items, [counted]] = await Promise.all([
    rowsBetween(db, channelId, from, to, limit, offset),
    db
      .select({ total: count() })
      .from(playoutItems)
      .where(overlapping(channelId, from, to)),
  ]);
  return { items, total: counted?.total ?? 0 };
}

/** The rows that end after an instant, in order. */
export async function rowsEndingAfter(
  db: Database,
  channelId: string,
  after: EpochMs,
  limit?: number,
): Promise<PlayoutRow[]> {
  const query = db
    .select()
    .from(playoutItems)
    .where(and(eq(playoutItems.channelId, channelId), gt(playoutItems.endsAt, after)))
    .orderBy(asc(playoutItems.endsAt));
  return limit === undefined ? await query : await query.limit(limit);
}

/** The rows that touch `[from, to)`, in order. */
export async function rowsBetween(
  db: Database,
  channelId: string,
  from: EpochMs,
  to: EpochMs,
  limit: number,
  offset = 0,
): Promise<PlayoutRow[]> {
  return await db
    .select()
    .from(playoutItems)
    .where(overlapping(channelId, from, to))
    .orderBy(asc(playoutItems.endsAt))
    .limit(limit)
    .offset(offset);
}

/** The row that is on at an instant. */
export async function rowAt(db: Database, channelId: string, at: EpochMs): Promise<PlayoutRow | undefined> {
  const [row] = await rowsEndingAfter(db, channelId, at, 1);
  return row !== undefined && row.startsAt <= at ? row : undefined;
}

/** The last row that ends at or before an instant. */
export async function rowBefore(
  db: Database,
  channelId: string,
  at: EpochMs,
): Promise<PlayoutRow | undefined> {
  const [row] = await db
    .select()
    .from(playoutItems)
    .where(and(eq(playoutItems.channelId, channelId), lte(playoutItems.endsAt, at)))
    .orderBy(desc(playoutItems.endsAt))
    .limit(1);
  return row;
}

/** The nearest programme before or after a row. */
export async function programmeBeside(
  db: Database,
  channelId: string,
  row: { startsAt: EpochMs; endsAt: EpochMs },
  side: 'before' | 'after',
): Promise<PlayoutRow | undefined> {
  const isBefore = side === 'before';
  const { endsAt } = playoutItems;
  const beside = isBefore ? lte(endsAt, row.startsAt) : gt(endsAt, row.endsAt);
  const [found] = await db
    .select()
    .from(playoutItems)
    .where(and(eq(playoutItems.channelId, channelId), eq(playoutItems.kind, 'program'), beside))
    .orderBy(isBefore ? desc(endsAt) : asc(endsAt))
    .limit(1);
  return found;
}

/** Undefined when the channel has no rows at all. */
export async function timelineExtent(
  db: Database,
  channelId: string,
  now: EpochMs,
): Promise<TimelineExtent | undefined> {
  const own = eq(playoutItems.channelId, channelId);
  const first = await db
    .select({ at: playoutItems.startsAt })
    .from(playoutItems)
    .where(own)
    .orderBy(asc(playoutItems.endsAt))
    .limit(1);
  const last = await db
    .select({ at: playoutItems.endsAt })
    .from(playoutItems)
    .where(own)
    .orderBy(desc(playoutItems.endsAt))
    .limit(1);
  if (first[0] === undefined || last[0] === undefined) return undefined;
  return {
    startsAt: first[0].at,
    endsAt: last[0].at,
    contentEndsAt: await lastContentEnd(db, channelId),
    coversNow: (await rowAt(db, channelId, now)) !== undefined,
  };
}

/** The end of the last row that is not offline. */
export async function lastContentEnd(db: Database, channelId: string): Promise<EpochMs | undefined> {
  const [row] = await db
    .select({ at: playoutItems.endsAt })
    .from(playoutItems)
    .where(and(eq(playoutItems.channelId, channelId), ne(playoutItems.kind, 'offline')))
    .orderBy(desc(playoutItems.endsAt))
    .limit(1);
  return row?.at;
}

/** Deletes the rows that start at or after an instant, and says how many they were. */
export async function deleteRowsFrom(db: Database, channelId: string, from: EpochMs): Promise<number> {
  const deleted = await db.delete(playoutItems).where(
    and(
      eq(playoutItems.channelId, channelId),
      // The index is on the end; what starts later ends later.
      gt(playoutItems.endsAt, from),
      gte(playoutItems.startsAt, from),
    ),
  );
  return deleted.count;
}

export async function moveRowEnd(db: Database, id: number, endsAt: EpochMs): Promise<void> {
  await db.update(playoutItems).set({ endsAt }).where(eq(playoutItems.id, id));
}

/**
 * Stores rows. As one JSON parameter: that takes a third of the time that a parameter for each value takes, and
 * a statement of each length would have to be parsed anew.
 */
export async function insertRows(
  db: Database,
  channelId: string,
  rows: readonly NewPlayoutRow[],
): Promise<void> {
  for (let first = 0; first < rows.length; first += chunk) {
    const values = JSON.stringify(rows.slice(first, first + chunk));
    await db.execute(sql`
      insert into ${playoutItems}
        (channel_id, starts_at, ends_at, kind, media_id, in_ms, out_ms, slot, filler, guide, why)
      select ${channelId}, to_timestamp("startsAt" / 1000.0), to_timestamp("endsAt" / 1000.0), kind, "mediaId",
        "inMs", "outMs", slot, filler, guide, why
      from json_to_recordset(${values}::json) as rows ("startsAt" bigint, "endsAt" bigint, kind text,
        "mediaId" uuid, "inMs" int, "outMs" int, slot text, filler text, guide int, why jsonb)`);
  }
}

/** The last checkpoint at or before an instant. */
export async function lastCheckpoint(
  db: Database,
  channelId: string,
  notAfter: EpochMs,
): Promise<Checkpoint | undefined> {
  const pack = await packBefore(db, channelId, notAfter);
  return pack && unpacked(pack).findLast(({ at }) => at <= notAfter);
}

/** The first checkpoint at or after an instant. */
export async function firstCheckpoint(
  db: Database,
  channelId: string,
  notBefore: EpochMs,
): Promise<Checkpoint | undefined> {
  const pack = await packBefore(db, channelId, notBefore);
  const found = pack && unpacked(pack).find(({ at }) => at >= notBefore);
  if (found !== undefined) return found;
  const [next] = await db
    .select({ at: playoutCheckpoints.at, cursors: playoutCheckpoints.cursors })
    .from(playoutCheckpoints)
    .where(and(eq(playoutCheckpoints.channelId, channelId), gte(playoutCheckpoints.at, notBefore)))
    .orderBy(asc(playoutCheckpoints.at))
    .limit(1);
  return next;
}

/** Deletes the checkpoints at and after an instant. */
export async function deleteCheckpointsFrom(db: Database, channelId: string, from: EpochMs): Promise<void> {
  const own = eq(playoutCheckpoints.channelId, channelId);
  await db.delete(playoutCheckpoints).where(and(own, gte(playoutCheckpoints.at, from)));
  const pack = await packBefore(db, channelId, from);
  if (pack?.steps == null) return;
  const steps = pack.steps.filter(([afterMs]) => pack.at + afterMs < from);
  if (steps.length === pack.steps.length) return;
  await db
    .update(playoutCheckpoints)
    .set({ steps: steps.length === 0 ? null : steps })
    .where(and(own, eq(playoutCheckpoints.at, pack.at)));
}

/** Packs that go into one statement; each has some kilobytes. */
const packChunk = 25;

export async function insertCheckpoints(
  db: Database,
  channelId: string,
  packs: readonly PackedCheckpoints[],
): Promise<void> {
  for (let first = 0; first < packs.length; first += packChunk) {
    const values = JSON.stringify(packs.slice(first, first + packChunk));
    await db.execute(sql`
      insert into ${playoutCheckpoints} (channel_id, at, cursors, steps)
      select ${channelId}, to_timestamp(at / 1000.0), cursors, steps
      from json_to_recordset(${values}::json) as packs (at bigint, cursors jsonb, steps jsonb)`);
  }
}

async function packBefore(
  db: Database,
  channelId: string,
  notAfter: EpochMs,
): Promise<PackedCheckpoints | undefined> {
  const { at, cursors, steps } = playoutCheckpoints;
  const [pack] = await db
    .select({ at, cursors, steps })
    .from(playoutCheckpoints)
    .where(and(eq(playoutCheckpoints.channelId, channelId), lte(at, notAfter)))
    .orderBy(desc(at))
    .limit(1);
  return pack;
}

/** What is known of a timeline as a whole. */
export interface TimelineState {
  /** How often it was written. */
  version: number;
  /** A digest of what all that is not frozen was planned from; null when that is not one and the same. */
  sources: string | null;
  /** Where that begins; null likewise. */
  since: EpochMs | null;
}

export async function timelineState(db: Database, channelId: string): Promise<TimelineState> {
  const { version, sources, since } = timelines;
  const [state] = await db
    .select({ version, sources, since })
    .from(timelines)
    .where(eq(timelines.channelId, channelId));
  return state ?? { version: 0, sources: null, since: null };
}

export async function setTimelineState(db: Database, channelId: string, state: TimelineState): Promise<void> {
  await db
    .insert(timelines)
    .values({ channelId, ...state })
    .onConflictDoUpdate({ target: timelines.channelId, set: { ...state } });
}

/** Deletes what has ended before an instant, at most `limit` rows, and says how many they were. */
export async function deletePast(db: Database, before: EpochMs, limit: number): Promise<number> {
  const deleted = await db.execute(sql`
    delete from ${playoutItems} where id in (
      select old.id from ${channels} cross join lateral (
        select id from ${playoutItems} where channel_id = ${channels.id} and ends_at < ${instant(before)}
        order by ends_at limit ${limit}
      ) old limit ${limit})`);
  return deleted.count;
}

/** Deletes the checkpoints from before an instant; of each channel, those that are needed to go on from it stay. */
export async function deletePastCheckpoints(db: Database, before: EpochMs): Promise<void> {
  await db.execute(sql`
    delete from ${playoutCheckpoints} using ${channels} cross join lateral (
      select max(at) as at from ${playoutCheckpoints}
      where channel_id = ${channels.id} and at <= ${instant(before)}
    ) newest
    where ${playoutCheckpoints.channelId} = ${channels.id} and ${playoutCheckpoints.at} < newest.at`);
}

export interface ChannelExtent {
  endsAt: EpochMs | undefined;
  contentEndsAt: EpochMs | undefined;
  coversNow: boolean;
}

/** How far the timelines of all channels reach, by the channel's id. */
export async function channelExtents(db: Database, now: EpochMs): Promise<Map<string, ChannelExtent>> {
  const own = sql`${playoutItems.channelId} = ${channels.id}`;
  const endsAt = sql`${playoutItems.endsAt}`;
  const rows = await db.execute<{
    id: string;
    ends_at: string | null;
    content_ends_at: string | null;
    covers_now: boolean | null;
  }>(sql`
    select ${channels.id} as id,
      (select ${endsAt} from ${playoutItems} where ${own} order by ${endsAt} desc limit 1) as ends_at,
      (select ${endsAt} from ${playoutItems} where ${own} and ${playoutItems.kind} <> 'offline'
        order by ${endsAt} desc limit 1) as content_ends_at,
      (select ${playoutItems.startsAt} <= ${instant(now)} from ${playoutItems}
        where ${own} and ${endsAt} > ${instant(now)} order by ${endsAt} limit 1) as covers_now
    from ${channels}`);
  return new Map(
    [...rows].map((row) => [
      row.id,
      {
        endsAt: epoch(row.ends_at),
        contentEndsAt: epoch(row.content_ends_at),
        coversNow: row.covers_now === true,
      },
    ]),
  );
}

/** What timeline items play, by the media's id; what was never probed is left out. */
export async function timelineMedia(
  db: Database,
  ids: readonly string[],
): Promise<Map<string, TimelineMedia>> {
  const found = new Map<string, TimelineMedia>();
  for (let first = 0; first < ids.length; first += chunk) {
    const rows = await db
      .select({ media, folder: libraries.path })
      .from(media)
      .innerJoin(libraries, eq(libraries.id, media.libraryId))
      .where(inArray(media.id, ids.slice(first, first + chunk)));
    for (const { media: row, folder } of rows) {
      if (row.probe === null || row.durationMs === null) continue;
      found.set(row.id, {
        id: row.id,
        absolutePath: join(folder, row.path),
        probe: row.probe,
        durationMs: row.durationMs,
        title: row.title,
        ...(row.show === null ? {} : { show: row.show }),
        ...(row.season === null ? {} : { season: row.season }),
        ...(row.episode === null ? {} : { episode: row.episode }),
      });
    }
  }
  return found;
}

/** What media are called, by their ids. */
export async function mediaTitles(db: Database, ids: readonly string[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map();
  const { id, title } = media;
  const rows = await db
    .select({ id, title })
    .from(media)
    .where(inArray(id, [...ids]));
  return new Map(rows.map((row) => [row.id, row.title]));
}

/** A row as it is kept in memory. */
export function timelineItem(row: PlayoutRow, plays: TimelineMedia | undefined): TimelineItem {
  return {
    id: row.id,
    startsAt: row.startsAt,
    endsAt: row.endsAt,
    kind: row.kind,
    ...(plays === undefined ? {} : { media: plays }),
    ...(row.inMs === null ? {} : { inMs: row.inMs }),
    ...(row.outMs === null ? {} : { outMs: row.outMs }),
    ...(row.slot === null ? {} : { slot: row.slot }),
    ...(row.filler === null ? {} : { filler: row.filler }),
    ...(row.guide === null ? {} : { guide: row.guide }),
  };
}

function overlapping(channelId: string, from: EpochMs, to: EpochMs) {
  return and(
    eq(playoutItems.channelId, channelId),
    gt(playoutItems.endsAt, from),
    lt(playoutItems.startsAt, to),
  );
}

function instant(ms: EpochMs) {
  return sql`${new Date(ms).toISOString()}::timestamptz`;
}

function epoch(value: string | null): EpochMs | undefined {
  return value === null ? undefined : new Date(value).getTime();
}
