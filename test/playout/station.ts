import { randomUUID } from 'node:crypto';
import { asc, count, eq } from 'drizzle-orm';
import { type Channel, createChannel } from '../../src/db/channels.ts';
import { createCollection } from '../../src/db/collections.ts';
import type { Database } from '../../src/db/connection.ts';
import { ensureShippedProfiles, getProfileByName } from '../../src/db/profiles.ts';
import { libraries, media, playoutItems } from '../../src/db/schema.ts';
import type { Slot } from '../../src/schedule/types.ts';

export const minute = 60_000;
export const hour = 60 * minute;
export const day = 24 * hour;

/** The instant at which the stories of these tests begin. */
export const t0 = Date.UTC(2026, 2, 7, 6, 0, 0);

/** A library with media in it; `file` makes one more. */
export async function aLibrary(
  db: Database,
): Promise<{ id: string; file(options: FileOptions): Promise<string> }> {
  const folder = `/media/${randomUUID()}`;
  const [library] = await db.insert(libraries).values({ name: 'Films', path: folder }).returning();
  const id = library!.id;
  return {
    id,
    file: async ({ title, durationMs, state = 'ready', ...rest }) => {
      const [row] = await db
        .insert(media)
        .values({
          libraryId: id,
          path: `${title}.mkv`,
          size: 1,
          mtimeMs: 1,
          state,
          durationMs,
          probe: { format: 'matroska', durationMs, chaptersMs: [] },
          kind: 'other',
          title,
          ...rest,
        })
        .returning();
      return row!.id;
    },
  };
}

export type FileOptions = {
  title: string;
  durationMs: number;
  state?: 'ready' | 'failed' | 'unavailable';
  show?: string;
  aired?: string;
};

export async function aCollection(db: Database, mediaIds: readonly string[]): Promise<string> {
  const made = await createCollection(db, { name: randomUUID(), kind: 'manual', media: mediaIds });
  return made.id;
}

let number = 100;

export async function aChannel(db: Database, play: string, slot: Partial<Slot> = {}): Promise<Channel> {
  await ensureShippedProfiles(db);
  const profile = await getProfileByName(db, '720p');
  number += 1;
  return await createChannel(db, {
    number: String(number),
    name: `Channel ${number}`,
    profileId: profile!.id,
    schedule: { slots: [{ id: 'all', play, order: 'custom', mode: 'flood', ...slot } as Slot] },
  });
}

export type Row = typeof playoutItems.$inferSelect;

export async function rowsOf(db: Database, channelId: string): Promise<Row[]> {
  return await db
    .select()
    .from(playoutItems)
    .where(eq(playoutItems.channelId, channelId))
    .orderBy(asc(playoutItems.startsAt));
}

export async function countRows(db: Database, channelId: string): Promise<number> {
  const [row] = await db
    .select({ n: count() })
    .from(playoutItems)
    .where(eq(playoutItems.channelId, channelId));
  return row?.n ?? 0;
}

/** Where a row does not begin where the one before it ends. */
export function holes(rows: readonly Row[]): number[] {
  return rows.flatMap((row, index) => {
    const before = rows[index - 1];
    return before !== undefined && before.endsAt !== row.startsAt ? [row.startsAt] : [];
  });
}
