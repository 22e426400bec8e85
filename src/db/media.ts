import { and, asc, count, desc, eq, gt, inArray, isNotNull, or, type SQL, sql } from 'drizzle-orm';
import type { Artwork } from '../library/artwork.ts';
import type { CollectionQuery } from '../library/media.ts';
import type { Database } from './connection.ts';
import { breakPoints } from './media-analysis.ts';
import { media } from './schema.ts';

export type Media = typeof media.$inferSelect;
export type MediaState = Media['state'];
export type NewMedia = Omit<typeof media.$inferInsert, 'id' | 'addedAt'>;

/** What the planner needs of a media file. */
export interface PlannableMedia {
  id: string;
  durationMs: number;
  title: string;
  show: string | null;
  season: number | null;
  episode: number | null;
  aired: string | null;
  /** Where it may be interrupted, in milliseconds. */
  breakPointsMs: number[] | null;
}

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

/** All ready media that a saved query matches, by show, season and episode, then by date and title. */
export async function mediaForQuery(db: Database, query: CollectionQuery): Promise<PlannableMedia[]> {
  const where = and(eq(media.state, 'ready'), isNotNull(media.durationMs), ...conditionsOf(query));
  return await db.transaction(async (tx) => {
    await tx.execute(sql`
      declare plannable no scroll cursor for
      select id, duration_ms as "durationMs", title, show, season, episode, aired, ${breakPoints} as "breakPointsMs" from ${media}
      where ${where} order by show, season, episode, aired, title, id`);
    const found: PlannableMedia[] = [];
    for (;;) {
      const page = await tx.execute<Record<string, unknown> & PlannableMedia>(fetchPage);
      found.push(...page);
      if (page.length < pageSize) break;
    }
    await tx.execute(sql`close plannable`);
    return found;
  });
}

const fetchPage = sql.raw(`fetch ${pageSize} from plannable`);

/** Writes what a scan found, by library and path: a file that is known keeps its id. At most 100 rows at a time. */
export async function upsertMedia(db: Database, rows: NewMedia[]): Promise<void> {
  if (rows.length === 0) return;
  const fresh = (column: string) => sql.raw(`excluded."${column}"`);
  const isSameFile = sql`${media.size} = excluded.size and ${media.mtimeMs} = excluded.mtime_ms`;
  await db
    .insert(media)
    .values(rows)
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
        // What was measured of a file is true of that file only.
        loudness: sql`case when ${isSameFile} then ${media.loudness} end`,
        breaks: sql`case when ${isSameFile} then ${media.breaks} end`,
        updatedAt: fresh('updated_at'),
      },
    });
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

function conditionsOf(query: CollectionQuery): (SQL | undefined)[] {
  const { library, folder, kind, show, season, genre, yearFrom, yearTo, text } = query;
  return [
    library === undefined ? undefined : eq(media.libraryId, library),
    folder === undefined ? undefined : below(folder),
    kind === undefined ? undefined : eq(media.kind, kind),
    show === undefined ? undefined : sameText(sql`${media.show}`, show),
    season === undefined ? undefined : eq(media.season, season),
    genre === undefined
      ? undefined
      : sql`exists (select 1 from unnest(${media.genres}) as genre where lower(genre) = lower(${genre}))`,
    yearFrom === undefined ? undefined : sql`${media.year} >= ${yearFrom}`,
    yearTo === undefined ? undefined : sql`${media.year} <= ${yearTo}`,
    text === undefined ? undefined : contains(sql`${media.title}`, text),
  ];
}

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
