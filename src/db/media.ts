import { createHash } from 'node:crypto';
import { basename, extname } from 'node:path/posix';
import { and, asc, count, desc, eq, gt, gte, inArray, isNotNull, lte, or, type SQL, sql } from 'drizzle-orm';
import type { Artwork } from '../library/artwork.ts';
import type { CollectionQuery } from '../library/media.ts';
import { durationMs } from '../schedule/iso.ts';
import type { EpochMs } from '../schedule/types.ts';
import type { Database } from './connection.ts';
import { libraryLabels } from './libraries.ts';
import { media } from './schema.ts';

export type Media = typeof media.$inferSelect;
export type MediaState = Media['state'];
export type NewMedia = Omit<typeof media.$inferInsert, 'id' | 'addedAt'>;

/** What a scan compares a file with. */
export interface KnownFile {
  id: string;
  path: string;
  size: number;
  mtimeMs: number;
  state: MediaState;
  /** Whether it could be probed when it was last looked at. */
  probed: boolean;
  artwork: Artwork | null;
  updatedAt: number;
}

export interface MediaFilter {
  library?: string | undefined;
  state?: MediaState | undefined;
  kind?: Media['kind'] | undefined;
  /** Part of title, show or path, without regard to case. */
  text?: string | undefined;
  /** The whole name of the show, without regard to case. */
  show?: string | undefined;
}

export type MediaSort = 'title' | 'show' | 'path' | 'added' | '-added' | 'duration' | '-duration';

/**
 * Rows of one answer. Results are fetched so many at a time, so that turning them into objects never holds
 * the thread that streams for long.
 */
const pageSize = 200;

export async function getMedia(db: Database, id: string): Promise<Media | undefined> {
  const [row] = await db.select().from(media).where(eq(media.id, id));
  return row;
}

/** One page of the media that match, and how many match in all. */
export async function listMedia(
  db: Database,
  options: MediaFilter & { sort?: MediaSort | undefined; limit: number; offset?: number | undefined },
): Promise<{ items: Media[]; total: number }> {
  const where = filterOf(options);
  const [items, [counted]] = await Promise.all([
    db
      .select()
      .from(media)
      .where(where)
      .orderBy(...orderOf(options.sort ?? 'title'), asc(media.id))
      .limit(options.limit)
      .offset(options.offset ?? 0),
    db.select({ total: count() }).from(media).where(where),
  ]);
  return { items, total: counted?.total ?? 0 };
}

export interface MediaCounts {
  ready: number;
  failed: number;
  unavailable: number;
}

/** How many media of each state a library has, by the library's id. */
export async function countMedia(db: Database): Promise<Map<string, MediaCounts>> {
  const rows = await db
    .select({ libraryId: media.libraryId, state: media.state, n: count() })
    .from(media)
    .groupBy(media.libraryId, media.state);
  const counts = new Map<string, MediaCounts>();
  for (const { libraryId, state, n } of rows) {
    const known = counts.get(libraryId) ?? { ready: 0, failed: 0, unavailable: 0 };
    counts.set(libraryId, { ...known, [state]: n });
  }
  return counts;
}

/**
 * Writes what a scan found, by library and path: a file that is known keeps its id. At most 100 rows at a time.
 *
 * A new file's id follows from what the library is called and the file's path in it. A library that is added again,
 * here or on another server, so gives its media the ids that they had, and the channels shuffle them as they did.
 */
export async function upsertMedia(db: Database, rows: NewMedia[]): Promise<void> {
  if (rows.length === 0) return;
  const fresh = (column: string) => sql.raw(`excluded."${column}"`);
  const labels = await libraryLabels(db);
  await db
    .insert(media)
    .values(rows.map((row) => ({ ...row, id: nameBasedId(labels.get(row.libraryId) ?? '', row.path) })))
    .onConflictDoUpdate({
      target: [media.libraryId, media.path],
      set: {
        size: fresh('size'),
        mtimeMs: fresh('mtime_ms'),
        state: fresh('state'),
        reason: fresh('reason'),
        durationMs: fresh('duration_ms'),
        probe: fresh('probe'),
        kind: fresh('kind'),
        title: fresh('title'),
        show: fresh('show'),
        season: fresh('season'),
        episode: fresh('episode'),
        year: fresh('year'),
        aired: fresh('aired'),
        plot: fresh('plot'),
        genres: fresh('genres'),
        rating: fresh('rating'),
        credits: fresh('credits'),
        artwork: fresh('artwork'),
        updatedAt: fresh('updated_at'),
      },
    });
}

/** The ids of the media at some paths of a library, by path. */
export async function mediaIds(
  db: Database,
  libraryId: string,
  paths: readonly string[],
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (let first = 0; first < paths.length; first += pathChunk) {
    const rows = await db
      .select({ id: media.id, path: media.path })
      .from(media)
      .where(
        and(
          eq(media.libraryId, libraryId),
          sql`${media.path} in (select json_array_elements_text(${JSON.stringify(paths.slice(first, first + pathChunk))}::json))`,
        ),
      );
    for (const { id, path } of rows) found.set(path, id);
  }
  return found;
}

/**
 * Gives media their rows before a scan has found them, so that they can be named. They are unavailable until then,
 * and a scan that finds them keeps their ids.
 */
export async function awaitMedia(db: Database, libraryId: string, paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return;
  const label = (await libraryLabels(db)).get(libraryId) ?? '';
  for (let first = 0; first < paths.length; first += pathChunk) {
    const rows = paths.slice(first, first + pathChunk).map((path) => ({
      ...{ path, id: nameBasedId(label, path) },
      title: basename(path, extname(path)),
    }));
    await db.execute(sql`
      insert into ${media} (id, library_id, path, size, mtime_ms, state, reason, kind, title)
      select id, ${libraryId}, path, 0, 0, 'unavailable', 'it has not been found yet', 'other', title
      from json_to_recordset(${JSON.stringify(rows)}::json) as rows (id uuid, path text, title text)
      on conflict do nothing`);
  }
}

const pathChunk = 2_000;

/** A UUID of version 8 (RFC 9562 5.8): a digest of both texts. */
function nameBasedId(library: string, path: string): string {
  const digest = createHash('sha256').update(`${library}\0${path}`).digest();
  digest[6] = (digest[6]! & 0x0f) | 0x80;
  digest[8] = (digest[8]! & 0x3f) | 0x80;
  return digest.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

export type MediaDescription = Pick<
  NewMedia,
  | 'kind'
  | 'title'
  | 'show'
  | 'season'
  | 'episode'
  | 'year'
  | 'aired'
  | 'plot'
  | 'genres'
  | 'rating'
  | 'credits'
  | 'artwork'
>;

/** Replaces what name, NFO and the pictures beside it say of a media file. */
export async function describeMedia(
  db: Database,
  id: string,
  description: MediaDescription,
  updatedAt: number,
): Promise<void> {
  await db
    .update(media)
    .set({ ...description, updatedAt })
    .where(eq(media.id, id));
}

export async function markUnavailable(db: Database, ids: string[], reason: string): Promise<void> {
  if (ids.length === 0) return;
  await db
    .update(media)
    .set({ state: 'unavailable', reason, updatedAt: sql`now()` })
    .where(inArray(media.id, ids));
}

/** For files that are back and are as they were probed. */
export async function markReady(db: Database, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  await db
    .update(media)
    .set({ state: 'ready', reason: null, updatedAt: sql`now()` })
    .where(and(inArray(media.id, ids), sql`${media.probe} is not null`));
}

/** Whether a library has any media, in whatever state. */
export async function hasMedia(db: Database, libraryId: string): Promise<boolean> {
  const rows = await db.select({ id: media.id }).from(media).where(eq(media.libraryId, libraryId)).limit(1);
  return rows.length > 0;
}

/**
 * What is known of a library's files, page by page in the order of their paths.
 *
 * @param scope the files at these relative paths, and below these folders; by default all
 */
export async function* knownFiles(
  db: Database,
  libraryId: string,
  scope?: { files: readonly string[]; folders: readonly string[] },
): AsyncGenerator<KnownFile[]> {
  let after = '';
  const scoped =
    scope &&
    or(
      scope.files.length > 0 ? inArray(media.path, [...scope.files]) : sql`false`,
      ...scope.folders.map((folder) => below(folder)),
    );
  for (;;) {
    const page = await db
      .select({
        id: media.id,
        path: media.path,
        size: media.size,
        mtimeMs: media.mtimeMs,
        state: media.state,
        probed: sql<boolean>`${media.probe} is not null`,
        artwork: media.artwork,
        updatedAt: media.updatedAt,
      })
      .from(media)
      .where(and(eq(media.libraryId, libraryId), gt(media.path, after), scoped))
      .orderBy(asc(media.path))
      .limit(pageSize);
    yield page;
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return;
    after = last.path;
  }
}

function filterOf({ library, state, kind, text, show }: MediaFilter): SQL | undefined {
  return and(
    library === undefined ? undefined : eq(media.libraryId, library),
    state === undefined ? undefined : eq(media.state, state),
    kind === undefined ? undefined : eq(media.kind, kind),
    show === undefined ? undefined : sameText(sql`${media.show}`, show),
    text === undefined
      ? undefined
      : or(
          contains(sql`${media.title}`, text),
          contains(sql`${media.show}`, text),
          contains(sql`${media.path}`, text),
        ),
  );
}

/** What of the media a saved query matches and can be aired. */
export function matching(query: CollectionQuery, now: EpochMs): SQL | undefined {
  const { library, folder, kind, show, season, genre, yearFrom, yearTo, text } = query;
  const { addedWithin, durationFrom, durationTo } = query;
  return and(
    canAir,
    library === undefined ? undefined : eq(media.libraryId, library),
    folder === undefined ? undefined : below(folder),
    kind === undefined ? undefined : eq(media.kind, kind),
    show === undefined ? undefined : sameText(sql`${media.show}`, show),
    season === undefined ? undefined : eq(media.season, season),
    genre === undefined
      ? undefined
      : and(
          // Cheaper, and true of few others.
          contains(sql`array_to_string(${media.genres}, ' ')`, genre),
          sql`exists (select 1 from unnest(${media.genres}) as genre where lower(genre) = lower(${withoutNul(genre)}))`,
        ),
    yearFrom === undefined ? undefined : sql`${media.year} >= ${yearFrom}`,
    yearTo === undefined ? undefined : sql`${media.year} <= ${yearTo}`,
    text === undefined ? undefined : contains(sql`${media.title}`, text),
    addedWithin === undefined ? undefined : gte(media.addedAt, now - durationMs(addedWithin)),
    durationFrom === undefined ? undefined : gte(media.durationMs, durationMs(durationFrom)),
    durationTo === undefined ? undefined : lte(media.durationMs, durationMs(durationTo)),
  );
}

/** What is ready and has a length. */
export const canAir = and(eq(media.state, 'ready'), isNotNull(media.durationMs));

function orderOf(sort: MediaSort): SQL[] {
  switch (sort) {
    case 'title':
      return [asc(sql`lower(${media.title})`)];
    case 'show':
      return [asc(media.show), asc(media.season), asc(media.episode), asc(media.title)];
    case 'path':
      return [asc(media.path)];
    case 'added':
      return [asc(media.addedAt)];
    case '-added':
      return [desc(media.addedAt)];
    case 'duration':
      return [sql`${media.durationMs} asc nulls last`];
    case '-duration':
      return [sql`${media.durationMs} desc nulls last`];
  }
}

/** A folder as people write it, "Shows", "Shows/" or "/Shows"; all of the library when it is empty. */
function below(folder: string): SQL | undefined {
  const path = folder.replace(/^\/+|\/+$/g, '');
  return path === '' ? undefined : sql`${media.path} like ${`${escapeLike(path)}/%`}`;
}

function contains(column: SQL, text: string): SQL {
  return sql`${column} ilike ${`%${escapeLike(text)}%`}`;
}

function sameText(column: SQL, text: string): SQL {
  return sql`lower(${column}) = lower(${withoutNul(text)})`;
}

/** LIKE's wildcards as themselves. */
function escapeLike(text: string): string {
  return withoutNul(text).replace(/[\\%_]/g, '\\$&');
}

/** Postgres refuses a text with NUL in it. */
function withoutNul(text: string): string {
  return text.replaceAll('\0', '');
}
