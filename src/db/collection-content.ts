import { asc, inArray, type SQL, sql } from 'drizzle-orm';
import type { CollectionQuery } from '../library/media.ts';
import type { EpochMs, PlanMedia, PlaylistMember } from '../schedule/types.ts';
import type { Database } from './connection.ts';
import { canAir, matching } from './media.ts';
import { collectionMedia, collectionMembers, collections, media } from './schema.ts';

export type CollectionKind = (typeof collections.$inferSelect)['kind'];

/** A list or a query that media come from. */
export type Source = { kind: 'manual'; id: string } | { kind: 'query'; query: CollectionQuery };

/** Where the media of a collection come from, in order. Unions are opened: they are all that they lead to. */
export interface Content {
  sources: Source[];
  /** Each media comes once, however often it is found, as in any union. */
  once: boolean;
}

/** One of the media that a collection gives now. */
export interface ContentMedia {
  id: string;
  title: string;
  show: string | null;
  season: number | null;
  episode: number | null;
  durationMs: number;
}

/** One page of what can be aired of a collection, how many there are in all, and how long they last together. */
export async function listContent(
  db: Database,
  content: Content,
  options: { now: EpochMs; limit: number; offset?: number | undefined },
): Promise<{ items: ContentMedia[]; total: number; durationMs: number }> {
  const { now, limit, offset = 0 } = options;
  const { from, order } = relationOf(content, now);
  const { id, title, show, season, episode, durationMs } = media;
  const items = db.execute<Row<ContentMedia>>(sql`
    select ${id}, ${title}, ${show}, ${season}, ${episode}, ${durationMs} as "durationMs"
    ${from} order by ${order} limit ${limit} offset ${offset}`);
  const sums = db.execute<Row<{ total: string; ms: string }>>(
    sql`select count(*) as total, coalesce(sum(${durationMs}), 0) as ms ${from}`,
  );
  const [page, [sum]] = await Promise.all([items, sums]);
  return { items: [...page], total: Number(sum?.total ?? 0), durationMs: Number(sum?.ms ?? 0) };
}

/** Where the media of a collection come from; of several, as if they were one union. */
export async function contentOf(db: Database, ...collectionIds: readonly string[]): Promise<Content> {
  return contentWithin(await readDefinitions(db, collectionIds), collectionIds);
}

/** What a collection is: media from somewhere, or a playlist of such collections. */
export type Definition = { name: string | undefined } & (
  | { kind: 'media'; content: Content }
  | { kind: 'playlist'; playlist: readonly PlaylistMember[] }
);

/**
 * What collections are, by their ids; the members of playlists are among them. One that is not there is empty.
 */
export async function definitionsOf(
  db: Database,
  collectionIds: readonly string[],
): Promise<Map<string, Definition>> {
  const read = await readDefinitions(db, collectionIds);
  const definitions = new Map<string, Definition>();
  const define = (id: string) => {
    if (definitions.has(id)) return;
    const { name, kind } = read.rows.get(id) ?? {};
    if (kind !== 'playlist') {
      definitions.set(id, { name, kind: 'media', content: contentWithin(read, [id]) });
      return;
    }
    const playlist = (read.members.get(id) ?? []).map(playlistMember);
    definitions.set(id, { name, kind, playlist });
    for (const { play } of playlist) define(play);
  };
  for (const id of collectionIds) define(id);
  return definitions;
}

interface DefinitionRow {
  id: string;
  name: string;
  kind: CollectionKind;
  query: CollectionQuery | null;
}

interface ReadDefinitions {
  rows: ReadonlyMap<string, DefinitionRow>;
  members: ReadonlyMap<string, readonly MemberRow[]>;
}

/** Some collections and all that they lead to. */
async function readDefinitions(db: Database, collectionIds: readonly string[]): Promise<ReadDefinitions> {
  const found = await db.execute<Row<DefinitionRow>>(sql`
    with recursive below as (
      select id from ${collections} where ${inArray(sql`id::text`, [...collectionIds])}
      union
      select m.member_id from ${collectionMembers} m join below b on m.collection_id = b.id
    )
    select c.id, c.name, c.kind, c.query from below join ${collections} c using (id)`);
  const rows = new Map([...found].map((row) => [row.id, row]));
  const joint = [...rows.values()].filter(({ kind }) => kind === 'union' || kind === 'playlist');
  return {
    rows,
    members: await membersOf(
      db,
      joint.map(({ id }) => id),
    ),
  };
}

function contentWithin({ rows, members }: ReadDefinitions, collectionIds: readonly string[]): Content {
  const sources: Source[] = [];
  const seen = new Set<string>();
  const open = (id: string) => {
    const row = rows.get(id);
    if (row === undefined || seen.has(id)) return;
    seen.add(id);
    if (row.kind === 'manual') sources.push({ kind: 'manual', id });
    else if (row.kind === 'query') sources.push({ kind: 'query', query: row.query ?? {} });
    else for (const { memberId } of members.get(id) ?? []) open(memberId);
  };
  for (const id of collectionIds) open(id);
  const [only, ...others] = collectionIds;
  return { sources, once: others.length > 0 || rows.get(only ?? '')?.kind === 'union' };
}

export type MemberRow = typeof collectionMembers.$inferSelect;

/** The members of unions and playlists in order, by the collection's id. */
export async function membersOf(
  db: Database,
  collectionIds: readonly string[],
): Promise<Map<string, MemberRow[]>> {
  const members = new Map<string, MemberRow[]>();
  if (collectionIds.length === 0) return members;
  const rows = await db
    .select()
    .from(collectionMembers)
    .where(inArray(collectionMembers.collectionId, [...collectionIds]))
    .orderBy(asc(collectionMembers.collectionId), asc(collectionMembers.position));
  for (const row of rows) {
    const found = members.get(row.collectionId);
    if (found === undefined) members.set(row.collectionId, [row]);
    else found.push(row);
  }
  return members;
}

/** A member of a playlist in the planner's words. */
export function playlistMember({ memberId, order, count, parts }: MemberRow): PlaylistMember {
  return {
    play: memberId,
    order: order ?? 'chronological',
    count: count ?? 'all',
    ...(parts === null ? {} : { parts }),
  };
}

/** All that can be aired of a collection, in its order, for the planner. */
export async function resolveContent(db: Database, content: Content, now: EpochMs): Promise<PlanMedia[]> {
  if (content.sources.length === 0) return [];
  const { from, order } = relationOf(content, now);
  const { id, durationMs, title, show, season, episode, aired, probe } = media;
  return await db.transaction(async (tx) => {
    const found: PlanMedia[] = [];
    // All of it is fetched: a plan that is quick with the first rows would be slow on the whole.
    await tx.execute(sql`set local cursor_tuple_fraction = 1`);
    await tx.execute(sql`
      declare plannable no scroll cursor for
      select ${id}, ${durationMs} as ms, ${title}, ${show}, ${season}, ${episode}, ${aired},
        nullif(${probe} -> 'chaptersMs', '[]'::jsonb) as chapters
      ${from} order by ${order}`);
    for (;;) {
      const page = await tx.execute<Row<PlannableRow>>(fetchPage);
      for (const row of page) found.push(planMedia(row));
      if (page.length < pageSize) break;
    }
    await tx.execute(sql`close plannable`);
    return found;
  });
}

type Row<T> = Record<string, unknown> & T;

interface PlannableRow {
  id: string;
  ms: number;
  title: string;
  show: string | null;
  season: number | null;
  episode: number | null;
  aired: string | null;
  chapters: number[] | null;
}

/** Few enough that the embedded database need not hold all of them at once. */
const pageSize = 2_000;
const fetchPage = sql.raw(`fetch ${pageSize} from plannable`);

/** The planner knows no null: what is unknown is absent. */
function planMedia({ id, ms, title, show, season, episode, aired, chapters }: PlannableRow): PlanMedia {
  const found: PlanMedia = { id, durationMs: ms, title };
  if (show !== null) found.show = show;
  if (season !== null) found.season = season;
  if (episode !== null) found.episode = episode;
  if (aired !== null) found.aired = aired;
  if (chapters !== null) found.chaptersMs = chapters;
  return found;
}

/**
 * The order of what a query finds: by show, season and episode, then by date and title. By code unit, because the
 * order in which a schedule plays must not depend on the database's locale.
 */
const queryOrder = sql`${media.show} collate "C", ${media.season}, ${media.episode},
  ${media.aired} collate "C", ${media.title} collate "C", ${media.id}`;

/** The FROM and ORDER BY of all that can be aired of a collection. */
function relationOf({ sources, once }: Content, now: EpochMs): { from: SQL; order: SQL } {
  const [first, ...others] = sources;
  if (first === undefined) return { from: sql`from ${media} where false`, order: queryOrder };
  if (others.length === 0 && first.kind === 'query') {
    return { from: sql`from ${media} where ${matching(first.query, now)}`, order: queryOrder };
  }
  const places = others.length === 0 && !once ? placesOf(first, 0, now) : union(sources, now);
  return {
    from: sql`from (${places}) places join ${media} on ${media.id} = places.media_id where ${canAir}`,
    order: sql`source, place`,
  };
}

/** Each media at the first place that it has. */
function union(sources: readonly Source[], now: EpochMs): SQL {
  const all = sql.join(
    sources.map((source, index) => placesOf(source, index, now)),
    sql` union all `,
  );
  return sql`select distinct on (media_id) media_id, source, place from (${all}) everything
    order by media_id, source, place`;
}

function placesOf(source: Source, index: number, now: EpochMs): SQL {
  const number = sql.raw(String(index));
  switch (source.kind) {
    case 'manual':
      return sql`select media_id, ${number} as source, position::bigint as place
        from ${collectionMedia} where collection_id = ${source.id}`;
    case 'query':
      return sql`select ${media.id} as media_id, ${number} as source,
        row_number() over (order by ${queryOrder}) as place
        from ${media} where ${matching(source.query, now)}`;
  }
}
