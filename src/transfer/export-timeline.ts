import { inArray } from 'drizzle-orm';
import type { Database } from '../db/connection.ts';
import { lastCheckpoint, type PlayoutRow, rowAt, rowsBetween, timelineState } from '../db/playout.ts';
import { media } from '../db/schema.ts';
import type { EpochMs, FillerKind } from '../schedule/types.ts';
import { renameInCursors } from './cursor-names.ts';
import type { TimelineForm, TimelineItemForm } from './format.ts';

/** So many rows are frozen at most; more would be of no use to anybody. */
const mostItems = 5_000;

/**
 * Where a channel's timeline stands: the place from which on all of it follows from what else is in the file, and
 * what is on before that. Undefined when it has no programme yet.
 */
export async function timelineForm(
  db: Database,
  channelId: string,
  now: EpochMs,
  names: { libraries: ReadonlyMap<string, string>; collectionNames: ReadonlyMap<string, string> },
): Promise<TimelineForm | undefined> {
  const { since } = await timelineState(db, channelId);
  const onAir = await lastCheckpoint(db, channelId, now);
  const begins = onAir?.at ?? (await rowAt(db, channelId, now))?.startsAt;
  if (begins === undefined) return undefined;
  // An edit has not come into effect yet: what is frozen was planned from something else.
  const isFrozen = since !== null && since > begins;
  const place = isFrozen ? await lastCheckpoint(db, channelId, since) : onAir;
  if (place === undefined || Object.keys(place.cursors).length === 0) return undefined;
  const at = isFrozen ? since : place.at;
  const rows = isFrozen ? await rowsBetween(db, channelId, begins, at, mostItems) : [];
  const nameOf = (id: string) => names.collectionNames.get(id) ?? id;
  return {
    at: new Date(at).toISOString(),
    cursors: renameInCursors(place.cursors, nameOf),
    ...(rows.length === 0 ? {} : { items: await itemForms(db, rows, at, { ...names, nameOf }) }),
  };
}

async function itemForms(
  db: Database,
  rows: readonly PlayoutRow[],
  until: EpochMs,
  { libraries, nameOf }: { libraries: ReadonlyMap<string, string>; nameOf: (id: string) => string },
): Promise<TimelineItemForm[]> {
  const ids = [...new Set(rows.flatMap(({ mediaId }) => mediaId ?? []))];
  const played = await db
    .select({ id: media.id, library: media.libraryId, path: media.path })
    .from(media)
    .where(inArray(media.id, ids));
  const places = new Map(
    played.map(({ id, library, path }) => [id, { library: libraries.get(library) ?? library, path }]),
  );
  return rows.map(({ startsAt, endsAt, kind, mediaId, inMs, outMs, slot, filler, guide, why }) => {
    const place = places.get(mediaId ?? '');
    return {
      start: new Date(startsAt).toISOString(),
      // Being offline may go on beyond.
      stop: new Date(Math.min(endsAt, until)).toISOString(),
      kind,
      ...(place === undefined ? {} : { media: place }),
      ...(inMs === null ? {} : { in: inMs }),
      ...(outMs === null ? {} : { out: outMs }),
      ...(slot === null ? {} : { slot }),
      ...(filler === null ? {} : { filler: filler as FillerKind }),
      ...(guide === null ? {} : { guide }),
      ...(why === null
        ? {}
        : { why: why.member === undefined ? why : { ...why, member: nameOf(why.member) } }),
    };
  });
}
