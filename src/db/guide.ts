import { and, asc, eq, gt, lt, type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import type { GuideChannel } from '../guide/guide-channel.ts';
import type { GuideMedia, GuideRow } from '../guide/programmes.ts';
import { slotTitles } from '../guide/slot-titles.ts';
import type { Artwork } from '../library/artwork.ts';
import type { EpochMs } from '../schedule/types.ts';
import type { Database } from './connection.ts';
import { channels, libraries, media, playoutItems, profiles } from './schema.ts';

/** Rows of one answer: few enough that other queries do not wait behind it for long. */
const pageSize = 1000;

/** A channel as its part of the guide is written. */
export interface TimedChannel extends GuideChannel {
  /** What its slots call their blocks, by the slot's id. */
  titles: ReadonlyMap<string, string>;
}

/** Undefined when there is no such channel, or it is not enabled. */
export async function getGuideChannel(db: Database, id: string): Promise<TimedChannel | undefined> {
  const [row] = await db
    .select({ channel: channels, spec: profiles.spec })
    .from(channels)
    .innerJoin(profiles, eq(profiles.id, channels.profileId))
    .where(and(eq(channels.id, id), eq(channels.enabled, true)));
  if (row === undefined) return undefined;
  const { number, name, group, logoUrl, guideId, enabled, offlineTitle, schedule } = row.channel;
  return {
    ...{ id, number, name, group, guideId, enabled },
    logoUrl: logoUrl ?? undefined,
    offlineTitle: offlineTitle ?? undefined,
    profile: { spec: row.spec },
    titles: slotTitles(schedule),
  };
}

/** The rows of a channel that are on air in [from, to), in order of time, and the media that they play. */
export async function readGuideRows(
  db: Database,
  channelId: string,
  { from, to }: { from: EpochMs; to: EpochMs },
): Promise<{ rows: GuideRow[]; media: GuideMedia[] }> {
  const rows: GuideRow[] = [];
  const known = new Map<string, GuideMedia>();
  let after = from;
  for (;;) {
    // Rows of a channel do not overlap, so the order of their ends, which has an index, is that of their starts.
    const page = await db
      .select({
        startsAt: playoutItems.startsAt,
        endsAt: playoutItems.endsAt,
        kind: playoutItems.kind,
        guide: playoutItems.guide,
        slot: playoutItems.slot,
        inMs: playoutItems.inMs,
        outMs: playoutItems.outMs,
        mediaId: playoutItems.mediaId,
      })
      .from(playoutItems)
      .where(
        and(
          eq(playoutItems.channelId, channelId),
          gt(playoutItems.endsAt, after),
          lt(playoutItems.startsAt, to),
        ),
      )
      .orderBy(asc(playoutItems.endsAt))
      .limit(pageSize);
    await learnMedia(db, page, known);
    for (const { mediaId, ...row } of page) {
      rows.push({ ...row, media: mediaId === null ? undefined : known.get(mediaId) });
    }
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return { rows, media: [...known.values()] };
    after = last.endsAt;
  }
}

/** Finds out when media first air, on any channel, in what is stored of the timelines. */
export async function learnFirstAirings(db: Database, wanted: readonly GuideMedia[]): Promise<void> {
  if (wanted.length === 0) return;
  const rows = await db
    .select({ id: playoutItems.mediaId, at: sql<string | Date>`min(${playoutItems.startsAt})` })
    .from(playoutItems)
    .where(
      and(
        isIn(
          playoutItems.mediaId,
          wanted.map(({ id }) => id),
        ),
        eq(playoutItems.kind, 'program'),
      ),
    )
    .groupBy(playoutItems.mediaId);
  const found = new Map(rows.map(({ id, at }) => [id, new Date(at).getTime()]));
  for (const media of wanted) {
    const at = found.get(media.id);
    if (at !== undefined) media.firstAirsAt = at;
  }
}

/** The channels that show media of which something has changed since an instant, from another instant on. */
export async function channelsShowingChanged(
  db: Database,
  { changedSince, from }: { changedSince: EpochMs; from: EpochMs },
): Promise<string[]> {
  const rows = await db
    .selectDistinct({ id: playoutItems.channelId })
    .from(media)
    .innerJoin(playoutItems, eq(playoutItems.mediaId, media.id))
    .where(and(gt(media.updatedAt, changedSince), gt(playoutItems.endsAt, from)));
  return rows.map(({ id }) => id);
}

/** The pictures of a media, and the folder of its library. Undefined when there is no such media, or it has none. */
export async function findArtwork(
  db: Database,
  mediaId: string,
): Promise<{ kind: GuideMedia['kind']; artwork: Artwork; library: string } | undefined> {
  const [row] = await db
    .select({ kind: media.kind, artwork: media.artwork, library: libraries.path })
    .from(media)
    .innerJoin(libraries, eq(libraries.id, media.libraryId))
    .where(eq(media.id, mediaId));
  if (row === undefined || row.artwork === null) return undefined;
  return { kind: row.kind, artwork: row.artwork, library: row.library };
}

/** Whether the database answers at all. */
export async function answers(db: Database): Promise<boolean> {
  try {
    await db.execute(sql`select 1`);
    return true;
  } catch {
    return false;
  }
}

/** Fetches each file once, however often it airs. */
async function learnMedia(
  db: Database,
  rows: readonly { mediaId: string | null }[],
  known: Map<string, GuideMedia>,
): Promise<void> {
  const missing = new Set<string>();
  for (const { mediaId } of rows) if (mediaId !== null && !known.has(mediaId)) missing.add(mediaId);
  if (missing.size === 0) return;
  const found = await db
    .select({
      id: media.id,
      kind: media.kind,
      title: media.title,
      show: media.show,
      season: media.season,
      episode: media.episode,
      year: media.year,
      aired: media.aired,
      plot: sql<string | null>`left(${media.plot}, 2000)`,
      genres: media.genres,
      rating: media.rating,
      credits: media.credits,
      artwork: media.artwork,
      path: media.path,
      addedAt: media.addedAt,
    })
    .from(media)
    .where(isIn(media.id, [...missing]));
  for (const row of found) known.set(row.id, row);
}

/** As one parameter, however many there are: a statement of each length would have to be parsed anew. */
function isIn(column: PgColumn, ids: readonly string[]): SQL {
  return sql`${column} = any(${`{${ids.join(',')}}`}::uuid[])`;
}
