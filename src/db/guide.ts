import { and, asc, eq, gt, inArray, lt, sql } from 'drizzle-orm';
import { compareChannelNumbers } from '../guide/channel-number.ts';
import type { GuideChannel } from '../guide/guide-channel.ts';
import type { GuideMedia, GuideRow } from '../guide/programmes.ts';
import type { EpochMs } from '../schedule/types.ts';
import type { Database } from './connection.ts';
import { channels, media, playoutItems, profiles } from './schema.ts';

/** Rows of one answer: few enough that other queries do not wait behind it for long. */
const pageSize = 1000;

/** The enabled channels, in the order of their numbers. */
export async function listGuideChannels(db: Database): Promise<GuideChannel[]> {
  const rows = await db
    .select({
      id: channels.id,
      number: channels.number,
      name: channels.name,
      group: channels.group,
      logoUrl: channels.logoUrl,
      guideId: channels.guideId,
      enabled: channels.enabled,
      spec: profiles.spec,
    })
    .from(channels)
    .innerJoin(profiles, eq(profiles.id, channels.profileId))
    .where(eq(channels.enabled, true));
  return rows
    .map(({ spec, logoUrl, ...row }) => ({ ...row, logoUrl: logoUrl ?? undefined, profile: { spec } }))
    .sort((a, b) => compareChannelNumbers(a.number, b.number));
}

/** The rows of a channel that are on air in [from, to), in order of time. */
export async function readGuideRows(
  db: Database,
  channelId: string,
  { from, to }: { from: EpochMs; to: EpochMs },
): Promise<GuideRow[]> {
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
    await learnMedia(
      db,
      page.map((row) => row.mediaId),
      known,
    );
    for (const { mediaId, ...row } of page) {
      rows.push({ ...row, media: mediaId === null ? undefined : known.get(mediaId) });
    }
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return rows;
    after = last.endsAt;
  }
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
  ids: readonly (string | null)[],
  known: Map<string, GuideMedia>,
): Promise<void> {
  const missing = new Set(ids.filter((id) => id !== null && !known.has(id)) as string[]);
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
      path: media.path,
    })
    .from(media)
    .where(inArray(media.id, [...missing]));
  for (const { id, ...row } of found) known.set(id, row);
}
