import { and, eq, gte, inArray, isNotNull, isNull, notInArray, type SQL, sql } from 'drizzle-orm';
import type { Breaks, Loudness } from '../library/analysis.ts';
import { shortestWithBreaksMs } from '../library/analysis-breaks.ts';
import type { MediaProbe } from '../library/media.ts';
import type { EpochMs } from '../schedule/types.ts';
import type { Database } from './connection.ts';
import { channels, libraries, media, playoutItems } from './schema.ts';

/** What can be found out of a file, by the name of its column. */
export interface Findings {
  loudness: Loudness;
  breaks: Breaks;
}

export type FindingKind = keyof Findings;

/** A file of which something is not known yet. */
export interface UnknownFile {
  id: string;
  /** Of its library. */
  root: string;
  path: string;
  size: number;
  mtimeMs: number;
  durationMs: number;
  probe: MediaProbe;
}

/**
 * Where a media may be interrupted, as JSON for the planner: at its chapters, or else where black and silence were
 * found. Null when there is no such place.
 */
export const breakPoints: SQL<number[] | null> = sql`coalesce(
  nullif(${media.probe} -> 'chaptersMs', '[]'::jsonb), nullif(${media.breaks} -> 'breaksMs', '[]'::jsonb))`;

/** So many items of each channel count as near. */
const nearItems = 50;

/**
 * Files of which something is not known yet: those that are on the air soonest first, and then the newest.
 *
 * @param except ids of at most a few hundred that are left out
 */
export async function unknownFiles(
  db: Database,
  kind: FindingKind,
  { now, limit, except }: { now: EpochMs; limit: number; except: readonly string[] },
): Promise<UnknownFile[]> {
  const ids = await soonOnAir(db, and(lacking(kind), without(except)), now, limit);
  if (ids.length < limit) {
    const newest = await db
      .select({ id: media.id })
      .from(media)
      .where(and(lacking(kind), without([...except, ...ids])))
      .orderBy(sql`${media.addedAt} desc`, media.id)
      .limit(limit - ids.length);
    ids.push(...newest.map(({ id }) => id));
  }
  const { id, path, size, mtimeMs, durationMs, probe } = media;
  const rows = await db
    .select({ id, path, size, mtimeMs, durationMs, probe, root: libraries.path })
    .from(media)
    .innerJoin(libraries, eq(libraries.id, media.libraryId))
    .where(inArray(media.id, ids));
  return rows
    .flatMap(({ durationMs, probe, ...row }) =>
      durationMs === null || probe === null ? [] : [{ ...row, durationMs, probe }],
    )
    .sort((a, b) => ids.indexOf(a.id) - ids.indexOf(b.id));
}

export interface FindingCounts {
  /** What is known, failures included … */
  done: number;
  /** … of so many. */
  total: number;
  failed: number;
}

export async function countFindings(db: Database, kind: FindingKind): Promise<FindingCounts> {
  const column = media[kind];
  const [counted] = await db
    .select({
      done: sql<number>`count(${column})::int`,
      left: sql<number>`(count(*) filter (where ${lacking(kind)}))::int`,
      failed: sql<number>`(count(*) filter (where ${column} ->> 'kind' = 'failed'))::int`,
    })
    .from(media)
    .where(eq(media.state, 'ready'));
  const { done = 0, left = 0, failed = 0 } = counted ?? {};
  return { done, total: done + left, failed };
}

/** Stores what was found, if the file still is as it was then. Gives it as it was stored, or undefined. */
export async function storeFinding<K extends FindingKind>(
  db: Database,
  kind: K,
  { id, size, mtimeMs }: UnknownFile,
  finding: Findings[K],
): Promise<Findings[K] | undefined> {
  // It is no change of what is shown of the media: `updatedAt` stays.
  const [row] = await db
    .update(media)
    .set({ [kind]: finding })
    .where(and(eq(media.id, id), eq(media.size, size), eq(media.mtimeMs, mtimeMs)))
    .returning({ stored: media[kind] });
  return (row?.stored ?? undefined) as Findings[K] | undefined;
}

/**
 * What was found of the same file under another name: one that is gone, and had the same size, time and streams.
 * A renamed file is a new one to a scan.
 */
export async function findingOfGone<K extends FindingKind>(
  db: Database,
  kind: K,
  { size, mtimeMs, probe }: UnknownFile,
): Promise<Findings[K] | undefined> {
  const column = media[kind];
  const [row] = await db
    .select({ found: column })
    .from(media)
    .where(
      and(
        eq(media.state, 'unavailable'),
        eq(media.size, size),
        eq(media.mtimeMs, mtimeMs),
        sql`${media.probe} = ${JSON.stringify(probe)}::jsonb`,
        sql`${column} ->> 'kind' <> 'failed'`,
      ),
    )
    .limit(1);
  return (row?.found ?? undefined) as Findings[K] | undefined;
}

function lacking(kind: FindingKind): SQL | undefined {
  // Written out, or the index of what is not measured yet is not found by a statement that is kept.
  const common = and(sql`${media.state} = 'ready'`, isNotNull(media.durationMs), isNotNull(media.probe));
  switch (kind) {
    case 'loudness':
      return and(common, isNull(media.loudness));
    case 'breaks':
      return and(
        common,
        isNull(media.breaks),
        gte(media.durationMs, shortestWithBreaksMs),
        sql`${media.probe} -> 'video' is not null`,
        sql`jsonb_array_length(${media.probe} -> 'chaptersMs') = 0`,
      );
  }
}

function without(ids: readonly string[]): SQL | undefined {
  return ids.length === 0 ? undefined : notInArray(media.id, [...ids]);
}

async function soonOnAir(
  db: Database,
  wanted: SQL | undefined,
  now: EpochMs,
  limit: number,
): Promise<string[]> {
  const rows = await db.execute<{ id: string }>(sql`
    select ${media.id} as id
    from ${channels} cross join lateral (
      select ${playoutItems.mediaId}, ${playoutItems.startsAt} from ${playoutItems}
      where ${playoutItems.channelId} = ${channels.id}
        and ${playoutItems.endsAt} > ${new Date(now).toISOString()}::timestamptz
      order by ${playoutItems.endsAt} limit ${nearItems}
    ) near join ${media} on ${media.id} = near.media_id
    where ${channels.enabled} and ${wanted}
    group by ${media.id} order by min(near.starts_at), ${media.id} limit ${limit}`);
  return rows.map(({ id }) => id);
}
