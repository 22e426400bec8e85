import { and, asc, count, eq, ilike, isNotNull, sql } from 'drizzle-orm';
import { ConflictError, InvalidError, NotFoundError } from '../errors.ts';
import type { CollectionQuery } from '../library/media.ts';
import type { PlanMedia } from '../schedule/types.ts';
import { channelsPlaying, violationOf } from './channels.ts';
import type { Database } from './connection.ts';
import { mediaForQuery } from './media.ts';
import { breakPoints } from './media-analysis.ts';
import { collectionMedia, collections, media } from './schema.ts';

export type Collection = typeof collections.$inferSelect;

/** A collection; `size` counts the entries of a manual one, whatever their state. */
export type ListedCollection = Collection & { size: number | undefined };

export type NewCollection =
  | { name: string; kind: 'manual'; media?: readonly string[] | undefined }
  | { name: string; kind: 'query'; query: CollectionQuery };

/** One place in a manual collection. */
export interface Member {
  position: number;
  id: string;
  title: string;
  show: string | null;
  season: number | null;
  episode: number | null;
  durationMs: number | null;
  state: 'ready' | 'failed' | 'unavailable';
}

/** One page of the collections by name, and how many there are in all. */
export async function listCollections(
  db: Database,
  options: { text?: string | undefined; limit: number; offset?: number | undefined },
): Promise<{ items: ListedCollection[]; total: number }> {
  const { text, limit, offset = 0 } = options;
  const where =
    text === undefined ? undefined : ilike(collections.name, `%${text.replace(/[\\%_]/g, '\\$&')}%`);
  const [items, [counted]] = await Promise.all([
    db
      .select()
      .from(collections)
      .where(where)
      .orderBy(asc(collections.name), asc(collections.id))
      .limit(limit)
      .offset(offset),
    db.select({ total: count() }).from(collections).where(where),
  ]);
  const sizes = await memberCounts(db);
  return {
    items: items.map((item) => ({
      ...item,
      size: item.kind === 'manual' ? (sizes.get(item.id) ?? 0) : undefined,
    })),
    total: counted?.total ?? 0,
  };
}

export async function getCollection(db: Database, id: string): Promise<Collection | undefined> {
  const [collection] = await db.select().from(collections).where(eq(collections.id, id));
  return collection;
}

/** Throws ConflictError when there is one of this name, and InvalidError when a media is not there. */
export async function createCollection(db: Database, collection: NewCollection): Promise<Collection> {
  const operation = 'creating a collection';
  return await db.transaction(async (tx) => {
    const [created] = await tx
      .insert(collections)
      .values({
        name: collection.name,
        kind: collection.kind,
        query: collection.kind === 'query' ? collection.query : null,
      })
      .onConflictDoNothing()
      .returning();
    if (created === undefined) throw nameTaken(collection.name, operation);
    if (collection.kind === 'manual') await insertMembers(tx, created.id, collection.media ?? [], operation);
    return created;
  });
}

/** Throws NotFoundError, ConflictError for a name that is taken, InvalidError for the query of a manual one. */
export async function updateCollection(
  db: Database,
  id: string,
  changes: { name?: string | undefined; query?: CollectionQuery | undefined },
): Promise<Collection> {
  const operation = 'changing a collection';
  const collection = await getCollection(db, id);
  if (collection === undefined) throw notFound(operation);
  if (changes.query !== undefined && collection.kind === 'manual') {
    throw new InvalidError('A manual collection has no query.', { operation });
  }
  try {
    const [updated] = await db
      .update(collections)
      .set({ name: changes.name, query: changes.query, updatedAt: sql`now()` })
      .where(eq(collections.id, id))
      .returning();
    if (updated === undefined) throw notFound(operation);
    return updated;
  } catch (error) {
    if (violationOf(error) === 'collections_name_unique') throw nameTaken(changes.name ?? '', operation);
    throw error;
  }
}

/** Throws NotFoundError, or ConflictError while a channel plays it. */
export async function deleteCollection(db: Database, id: string): Promise<void> {
  const operation = 'deleting a collection';
  const numbers = await channelsPlaying(db, id);
  if (numbers.length > 0) {
    throw new ConflictError(`The collection is played by channel ${numbers.join(', ')}.`, { operation });
  }
  const deleted = await db
    .delete(collections)
    .where(eq(collections.id, id))
    .returning({ id: collections.id });
  if (deleted.length === 0) throw notFound(operation);
}

/** One page of a manual collection in its order, and how many entries it has. */
export async function listMembers(
  db: Database,
  id: string,
  options: { limit: number; offset?: number | undefined },
): Promise<{ items: Member[]; total: number }> {
  const [items, [counted]] = await Promise.all([
    db
      .select({
        position: collectionMedia.position,
        id: media.id,
        title: media.title,
        show: media.show,
        season: media.season,
        episode: media.episode,
        durationMs: media.durationMs,
        state: media.state,
      })
      .from(collectionMedia)
      .innerJoin(media, eq(media.id, collectionMedia.mediaId))
      .where(eq(collectionMedia.collectionId, id))
      .orderBy(asc(collectionMedia.position))
      .limit(options.limit)
      .offset(options.offset ?? 0),
    db.select({ total: count() }).from(collectionMedia).where(eq(collectionMedia.collectionId, id)),
  ]);
  return { items, total: counted?.total ?? 0 };
}

/**
 * Replaces what is in a manual collection, as a whole. Throws NotFoundError, and InvalidError for a saved
 * query or when a media is not there.
 *
 * @param mediaIds in order; the same media may come more than once
 */
export async function replaceMembers(db: Database, id: string, mediaIds: readonly string[]): Promise<void> {
  const operation = 'changing a collection';
  await db.transaction(async (tx) => {
    const [collection] = await tx
      .update(collections)
      .set({ updatedAt: sql`now()` })
      .where(eq(collections.id, id))
      .returning();
    if (collection === undefined) throw notFound(operation);
    if (collection.kind === 'query') {
      throw new InvalidError('What is in a saved query cannot be set.', { operation });
    }
    await tx.delete(collectionMedia).where(eq(collectionMedia.collectionId, id));
    await insertMembers(tx, id, mediaIds, operation);
  });
}

/** What a collection has to play, in its order. Nothing when there is no such collection. */
export async function resolveCollection(db: Database, id: string): Promise<PlanMedia[]> {
  const collection = await getCollection(db, id);
  if (collection === undefined) return [];
  const rows =
    collection.kind === 'query'
      ? await mediaForQuery(db, collection.query ?? {})
      : await db
          .select({
            id: media.id,
            durationMs: sql<number>`${media.durationMs}`,
            title: media.title,
            show: media.show,
            season: media.season,
            episode: media.episode,
            aired: media.aired,
            breakPointsMs: breakPoints,
          })
          .from(collectionMedia)
          .innerJoin(media, eq(media.id, collectionMedia.mediaId))
          .where(
            and(eq(collectionMedia.collectionId, id), eq(media.state, 'ready'), isNotNull(media.durationMs)),
          )
          .orderBy(asc(collectionMedia.position));
  return rows.map(planMedia);
}

interface MediaRow {
  id: string;
  durationMs: number;
  title?: string | null;
  show?: string | null;
  season?: number | null;
  episode?: number | null;
  aired?: string | null;
  breakPointsMs?: readonly number[] | null;
}

/** The planner knows no null: what is unknown is absent. */
function planMedia(row: MediaRow): PlanMedia {
  const { id, durationMs, title, show, season, episode, aired, breakPointsMs } = row;
  return {
    id,
    durationMs,
    ...(title == null ? {} : { title }),
    ...(show == null ? {} : { show }),
    ...(season == null ? {} : { season }),
    ...(episode == null ? {} : { episode }),
    ...(aired == null ? {} : { aired }),
    ...(breakPointsMs == null ? {} : { chaptersMs: breakPointsMs }),
  };
}

const chunk = 1_000;

async function insertMembers(
  db: Database,
  collectionId: string,
  mediaIds: readonly string[],
  operation: string,
): Promise<void> {
  try {
    for (let first = 0; first < mediaIds.length; first += chunk) {
      const rows = mediaIds
        .slice(first, first + chunk)
        .map((mediaId, index) => ({ collectionId, position: first + index, mediaId }));
      await db.insert(collectionMedia).values(rows);
    }
  } catch (error) {
    if (violationOf(error) === 'collection_media_media_id_media_id_fk') {
      throw new InvalidError('A media of the list is not in the library.', { operation, cause: error });
    }
    throw error;
  }
}

async function memberCounts(db: Database): Promise<Map<string, number>> {
  const rows = await db
    .select({ id: collectionMedia.collectionId, n: count() })
    .from(collectionMedia)
    .groupBy(collectionMedia.collectionId);
  return new Map(rows.map(({ id, n }) => [id, n]));
}

function nameTaken(name: string, operation: string): ConflictError {
  return new ConflictError(`There is a collection called "${name}" already.`, { operation });
}

function notFound(operation: string): NotFoundError {
  return new NotFoundError('There is no such collection.', { operation });
}
