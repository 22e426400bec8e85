import { eq, inArray, sql } from 'drizzle-orm';
import { InvalidError } from '../errors.ts';
import type { Order, PlaylistMember } from '../schedule/types.ts';
import { membersOf } from './collection-content.ts';
import type { Database } from './connection.ts';
import { collectionMembers, collections } from './schema.ts';

/** A member of a union, which has nothing but `play`, or of a playlist. */
export interface NewMember {
  play: string;
  order?: Order | undefined;
  count?: PlaylistMember['count'] | undefined;
  parts?: PlaylistMember['parts'] | undefined;
}

/** Lets nobody else change what unions contain until the end of the transaction: two edits could close a circle. */
export async function lockMembers(tx: Database): Promise<void> {
  await tx.execute(sql`lock table ${collectionMembers} in share row exclusive mode`);
}

/**
 * Throws InvalidError when a member is not there, is a playlist, or leads back to the collection that it would be
 * in. The collection's id is absent while it is being made.
 */
export async function checkMembers(
  tx: Database,
  collection: { id?: string; name: string },
  members: readonly NewMember[],
  operation: string,
): Promise<void> {
  const ids = [...new Set(members.map(({ play }) => play))];
  if (ids.length === 0) return;
  // Their rows are held: nobody deletes them meanwhile.
  const found = await tx
    .select({ id: collections.id, name: collections.name, kind: collections.kind })
    .from(collections)
    .where(inArray(collections.id, ids))
    .for('key share');
  const missing = ids.filter((id) => !found.some((other) => other.id === id));
  if (missing.length > 0) {
    throw new InvalidError(`There is no collection ${missing.map((id) => `"${id}"`).join(', ')}.`, {
      operation,
    });
  }
  const playlist = found.find(({ kind }) => kind === 'playlist');
  if (playlist !== undefined) {
    throw new InvalidError(`"${playlist.name}" is a playlist, which cannot be in another collection.`, {
      operation,
    });
  }
  const circle = collection.id === undefined ? undefined : await pathTo(tx, collection.id, ids);
  if (circle === undefined) return;
  const path = [collection.name, ...circle].map((name) => `"${name}"`).join(' → ');
  throw new InvalidError(`The collection would contain itself: ${path}.`, { operation });
}

/** Replaces the members of a union or a playlist. */
export async function writeMembers(
  tx: Database,
  collectionId: string,
  members: readonly NewMember[],
): Promise<void> {
  await tx.delete(collectionMembers).where(eq(collectionMembers.collectionId, collectionId));
  if (members.length === 0) return;
  const rows = members.map(({ play, order = null, count = null, parts = null }, position) => ({
    ...{ collectionId, position, memberId: play, order, parts },
    count: count === 'all' ? null : count,
  }));
  await tx.insert(collectionMembers).values(rows);
}

/** The names of the collections that lead from any of some collections to one, itself included; undefined if none do. */
async function pathTo(tx: Database, target: string, from: readonly string[]): Promise<string[] | undefined> {
  const rows = await tx.select({ id: collections.id, name: collections.name }).from(collections);
  const names = new Map(rows.map(({ id, name }) => [id, name]));
  const members = await membersOf(tx, [...names.keys()]);
  const seen = new Set<string>();
  const search = (id: string): string[] | undefined => {
    const name = names.get(id) ?? id;
    if (id === target) return [name];
    if (seen.has(id)) return undefined;
    seen.add(id);
    for (const { memberId } of members.get(id) ?? []) {
      const rest = search(memberId);
      if (rest !== undefined) return [name, ...rest];
    }
    return undefined;
  };
  for (const id of from) {
    const path = search(id);
    if (path !== undefined) return path;
  }
  return undefined;
}
