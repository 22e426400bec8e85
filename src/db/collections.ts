import { asc, count, eq, ilike, inArray, sql } from 'drizzle-orm';
import { ConflictError, InvalidError, NotFoundError } from '../errors.ts';
import type { CollectionQuery } from '../library/media.ts';
import type { PlaylistMember } from '../schedule/types.ts';
import { channelsPlaying } from './channels.ts';
import { type CollectionKind, type MemberRow, membersOf, playlistMember } from './collection-content.ts';
import { checkMembers, lockMembers, type NewMember, writeMembers } from './collection-members.ts';
import type { Database } from './connection.ts';
import { collectionMedia, collectionMembers, collections, media } from './schema.ts';
import { violationOf } from './violation.ts';

export interface Collection {
  id: string;
  name: string;
  kind: CollectionKind;
  createdAt: number;
  updatedAt: number;
  /** Of a saved query. */
  query?: CollectionQuery;
  /** How many entries a manual collection has, whatever their state. */
  size?: number;
  /** The collections that a union joins, in order. */
  members?: string[];
  /** What a playlist plays in turn. */
  playlist?: PlaylistMember[];
}

export type NewCollection =
  | { name: string; kind: 'manual'; media?: readonly string[] | undefined }
  | { name: string; kind: 'query'; query: CollectionQuery }
  | { name: string; kind: 'union'; members: readonly string[] }
  | { name: string; kind: 'playlist'; playlist: readonly NewMember[] };

export interface CollectionChanges {
  name?: string | undefined;
  query?: CollectionQuery | undefined;
  members?: readonly string[] | undefined;
  playlist?: readonly NewMember[] | undefined;
}

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
): Promise<{ items: Collection[]; total: number }> {
  const { text, limit, offset = 0 } = options;
  const where =
    text === undefined ? undefined : ilike(collections.name, `%${text.replace(/[\\%_]/g, '\\$&')}%`);
  const [rows, [counted]] = await Promise.all([
    db
      .select()
      .from(collections)
      .where(where)
      .orderBy(asc(collections.name), asc(collections.id))
      .limit(limit)
      .offset(offset),
    db.select({ total: count() }).from(collections).where(where),
  ]);
  return { items: await whole(db, rows), total: counted?.total ?? 0 };
}

export async function getCollection(db: Database, id: string): Promise<Collection | undefined> {
  const rows = await db.select().from(collections).where(eq(collections.id, id));
  return (await whole(db, rows))[0];
}

/** Throws ConflictError when there is one of this name, and InvalidError when a media or a member cannot be in it. */
export async function createCollection(db: Database, collection: NewCollection): Promise<Collection> {
  const operation = 'creating a collection';
  return await db.transaction(async (tx) => {
    const members = newMembers(collection);
    if (members !== undefined) {
      await lockMembers(tx);
      await checkMembers(tx, collection, members, operation);
    }
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
    if (members !== undefined) await writeMembers(tx, created.id, members);
    if (collection.kind === 'manual') {
      await insertMedia(tx, created.id, 0, collection.media ?? [], operation);
    }
    return (await whole(tx, [created]))[0]!;
  });
}

/**
 * Throws NotFoundError, ConflictError for a name that is taken, and InvalidError for what a collection of its kind
 * does not have, for members that cannot be in it, and for a union that would contain itself.
 */
export async function updateCollection(
  db: Database,
  id: string,
  changes: CollectionChanges,
): Promise<Collection> {
  const operation = 'changing a collection';
  try {
    return await db.transaction(async (tx) => {
      const [collection] = await tx.select().from(collections).where(eq(collections.id, id)).for('update');
      if (collection === undefined) throw notFound(operation);
      refuseForeignKeys(collection.kind, changes, operation);
      const members = newMembers(changes);
      if (members !== undefined) {
        await lockMembers(tx);
        await checkMembers(tx, collection, members, operation);
        await writeMembers(tx, id, members);
      }
      const [updated] = await tx
        .update(collections)
        .set({ name: changes.name, query: changes.query, updatedAt: sql`now()` })
        .where(eq(collections.id, id))
        .returning();
      return (await whole(tx, updated === undefined ? [] : [updated]))[0]!;
    });
  } catch (error) {
    if (violationOf(error) === 'collections_name_unique') throw nameTaken(changes.name ?? '', operation);
    throw error;
  }
}

/** Throws NotFoundError, or ConflictError that names the channels and collections that it is used by. */
export async function deleteCollection(db: Database, id: string): Promise<void> {
  const operation = 'deleting a collection';
  await db.transaction(async (tx) => {
    // Whoever is about to use it holds its row, or waits for this transaction.
    const [found] = await tx
      .select({ id: collections.id })
      .from(collections)
      .where(eq(collections.id, id))
      .for('update');
    if (found === undefined) throw notFound(operation);
    const numbers = await channelsPlaying(tx, id);
    const names = await collectionsWith(tx, id);
    const users = [
      ...(numbers.length === 0 ? [] : [`channel ${numbers.join(', ')}`]),
      ...(names.length === 0 ? [] : [`the collection ${names.map((name) => `"${name}"`).join(', ')}`]),
    ];
    if (users.length > 0)
      throw new ConflictError(`The collection is used by ${users.join(' and by ')}.`, { operation });
    await tx.delete(collections).where(eq(collections.id, id));
  });
}

/** One page of a manual collection in its order, and how many entries it has. */
export async function listMembers(
  db: Database,
  id: string,
  options: { limit: number; offset?: number | undefined },
): Promise<{ items: Member[]; total: number }> {
  const page = db
    .select()
    .from(collectionMedia)
    .where(eq(collectionMedia.collectionId, id))
    .orderBy(asc(collectionMedia.position))
    .limit(options.limit)
    .offset(options.offset ?? 0)
    .as('page');
  const [items, [counted]] = await Promise.all([
    db
      .select({
        position: page.position,
        id: media.id,
        title: media.title,
        show: media.show,
        season: media.season,
        episode: media.episode,
        durationMs: media.durationMs,
        state: media.state,
      })
      .from(page)
      .innerJoin(media, eq(media.id, page.mediaId))
      .orderBy(asc(page.position)),
    db.select({ total: count() }).from(collectionMedia).where(eq(collectionMedia.collectionId, id)),
  ]);
  return { items, total: counted?.total ?? 0 };
}

/**
 * Replaces what is in a manual collection, as a whole. Throws NotFoundError, and InvalidError for another kind of
 * collection or when a media is not there.
 *
 * @param mediaIds in order; the same media may come more than once
 */
export async function replaceMedia(db: Database, id: string, mediaIds: readonly string[]): Promise<void> {
  const operation = 'changing a collection';
  await db.transaction(async (tx) => {
    await touchManual(tx, id, operation);
    await tx.delete(collectionMedia).where(eq(collectionMedia.collectionId, id));
    await insertMedia(tx, id, 0, mediaIds, operation);
  });
}

/** Adds media to the end of a manual collection. Throws as replaceMedia does. */
export async function appendMedia(db: Database, id: string, mediaIds: readonly string[]): Promise<void> {
  const operation = 'adding to a collection';
  await db.transaction(async (tx) => {
    await touchManual(tx, id, operation);
    const [last] = await tx
      .select({ position: sql<number>`coalesce(max(${collectionMedia.position}), -1)` })
      .from(collectionMedia)
      .where(eq(collectionMedia.collectionId, id));
    await insertMedia(tx, id, (last?.position ?? -1) + 1, mediaIds, operation);
  });
}

async function touchManual(tx: Database, id: string, operation: string): Promise<void> {
  const [collection] = await tx
    .update(collections)
    .set({ updatedAt: sql`now()` })
    .where(eq(collections.id, id))
    .returning();
  if (collection === undefined) throw notFound(operation);
  if (collection.kind === 'manual') return;
  throw new InvalidError(`Only a manual collection is a list of media; this is a ${collection.kind}.`, {
    operation,
  });
}

/** So many go into one statement: the embedded database serves nobody else meanwhile. */
const chunk = 5_000;

/** Writes media into a manual collection, from a position on. */
export async function insertMedia(
  tx: Database,
  collectionId: string,
  position: number,
  mediaIds: readonly string[],
  operation: string,
): Promise<void> {
  try {
    for (let first = 0; first < mediaIds.length; first += chunk) {
      const ids = `{${mediaIds.slice(first, first + chunk).join(',')}}`;
      await tx.execute(sql`
        insert into ${collectionMedia} (collection_id, position, media_id)
        select ${collectionId}, ${position + first - 1} + place, id
        from unnest(${ids}::uuid[]) with ordinality as listed (id, place)`);
    }
  } catch (error) {
    if (violationOf(error) === 'collection_media_media_id_media_id_fk') {
      throw new InvalidError('A media of the list is not in the library.', { operation, cause: error });
    }
    throw error;
  }
}

/** Rows with what belongs to them. */
async function whole(
  db: Database,
  rows: readonly (typeof collections.$inferSelect)[],
): Promise<Collection[]> {
  const idsOf = (...kinds: CollectionKind[]) =>
    rows.filter(({ kind }) => kinds.includes(kind)).map(({ id }) => id);
  const sizes = await memberCounts(db, idsOf('manual'));
  const members = await membersOf(db, idsOf('union', 'playlist'));
  return rows.map((row) => detailed(row, sizes.get(row.id) ?? 0, members.get(row.id) ?? []));
}

function detailed(
  { query, ...row }: typeof collections.$inferSelect,
  size: number,
  members: readonly MemberRow[],
): Collection {
  switch (row.kind) {
    case 'manual':
      return { ...row, size };
    case 'query':
      return { ...row, query: query ?? {} };
    case 'union':
      return { ...row, members: members.map(({ memberId }) => memberId) };
    case 'playlist':
      return { ...row, playlist: members.map(playlistMember) };
  }
}

async function memberCounts(db: Database, ids: readonly string[]): Promise<Map<string, number>> {
  if (ids.length === 0) return new Map();
  const rows = await db
    .select({ id: collectionMedia.collectionId, n: count() })
    .from(collectionMedia)
    .where(inArray(collectionMedia.collectionId, [...ids]))
    .groupBy(collectionMedia.collectionId);
  return new Map(rows.map(({ id, n }) => [id, n]));
}

async function collectionsWith(db: Database, memberId: string): Promise<string[]> {
  const rows = await db
    .selectDistinct({ name: collections.name })
    .from(collectionMembers)
    .innerJoin(collections, eq(collections.id, collectionMembers.collectionId))
    .where(eq(collectionMembers.memberId, memberId))
    .orderBy(asc(collections.name));
  return rows.map(({ name }) => name);
}

/** The members that are to be written; undefined when there is nothing to be said of them. */
function newMembers(collection: NewCollection | CollectionChanges): readonly NewMember[] | undefined {
  if ('playlist' in collection && collection.playlist !== undefined) return collection.playlist;
  return 'members' in collection ? collection.members?.map((play) => ({ play })) : undefined;
}

const keysOf: Record<CollectionKind, keyof CollectionChanges | undefined> = {
  manual: undefined,
  query: 'query',
  union: 'members',
  playlist: 'playlist',
};

function refuseForeignKeys(kind: CollectionKind, changes: CollectionChanges, operation: string): void {
  for (const key of ['query', 'members', 'playlist'] as const) {
    if (changes[key] === undefined || keysOf[kind] === key) continue;
    throw new InvalidError(`${key}: a collection of the kind "${kind}" has none.`, { operation });
  }
}

function nameTaken(name: string, operation: string): ConflictError {
  return new ConflictError(`There is a collection called "${name}" already.`, { operation });
}

function notFound(operation: string): NotFoundError {
  return new NotFoundError('There is no such collection.', { operation });
}
