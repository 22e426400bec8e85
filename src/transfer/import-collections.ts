import { isDeepStrictEqual } from 'node:util';
import { eq, sql } from 'drizzle-orm';
import { checkMembers, lockMembers, type NewMember, writeMembers } from '../db/collection-members.ts';
import { insertMedia } from '../db/collections.ts';
import { awaitMedia, mediaIds } from '../db/media.ts';
import { collectionMedia, collectionMembers, collections } from '../db/schema.ts';
import { InvalidError } from '../errors.ts';
import type { CollectionQuery } from '../library/media.ts';
import { collectionForm, readNames } from './export.ts';
import type { CollectionForm } from './format.ts';
import { type ImportRun, mayReplace } from './import-run.ts';

/** A collection of the file that has its row and waits for its content. */
interface Waiting {
  id: string;
  /** Where in the file it stands. */
  path: string;
  form: CollectionForm;
}

/** Adds the collections that are not there, and changes those that may be changed. */
export async function importCollections(run: ImportRun): Promise<void> {
  await lockMembers(run.tx);
  const waiting = await makeRows(run);
  for (const one of waiting) await fill(run, one);
  await refuseNestedPlaylists(run);
}

/** All have their ids before any of them is filled: they can name one another in any order. */
async function makeRows(run: ImportRun): Promise<Waiting[]> {
  const { tx, file, report, collections: ids } = run;
  const names = await readNames(tx);
  const known = new Map(names.collections.map((collection) => [collection.name, collection]));
  for (const { name, id } of known.values()) ids.set(name, id);
  const waiting: Waiting[] = [];
  for (const [index, form] of file.collections.entries()) {
    const { name, kind } = form;
    const path = `collections.${index}`;
    const same = known.get(name);
    if (same === undefined) {
      const [added] = await tx.insert(collections).values({ name, kind }).returning({ id: collections.id });
      ids.set(name, added!.id);
      waiting.push({ id: added!.id, path, form });
      report.collections.push({ name, action: 'add' });
    } else if (isDeepStrictEqual(await collectionForm(tx, same, names), form)) {
      report.collections.push({ name, action: 'keep' });
    } else if (mayReplace(run, path, `the collection "${name}"`)) {
      await empty(run, same.id, kind);
      waiting.push({ id: same.id, path, form });
      report.collections.push({ name, action: 'replace' });
    }
  }
  return waiting;
}

async function empty({ tx }: ImportRun, id: string, kind: CollectionForm['kind']): Promise<void> {
  await tx.delete(collectionMedia).where(eq(collectionMedia.collectionId, id));
  await tx.delete(collectionMembers).where(eq(collectionMembers.collectionId, id));
  await tx
    .update(collections)
    .set({ kind, query: null, updatedAt: sql`now()` })
    .where(eq(collections.id, id));
}

async function fill(run: ImportRun, { id, path, form }: Waiting): Promise<void> {
  switch (form.kind) {
    case 'manual':
      return await fillManual(run, id, path, form.media);
    case 'query': {
      const { library, ...rest } = form.query;
      const libraryId =
        library === undefined ? undefined : find(run, 'libraries', library, `${path}.query.library`);
      const query: CollectionQuery = libraryId === undefined ? rest : { ...rest, library: libraryId };
      await run.tx.update(collections).set({ query }).where(eq(collections.id, id));
      return;
    }
    case 'union':
      return await fillMembers(
        run,
        { id, path, form },
        form.members.map((play) => ({ play })),
        (index) => `members.${index}`,
      );
    case 'playlist':
      return await fillMembers(run, { id, path, form }, form.playlist, (index) => `playlist.${index}.play`);
  }
}

async function fillMembers(
  run: ImportRun,
  { id, path, form }: Waiting,
  named: readonly NewMember[],
  keyOf: (index: number) => string,
): Promise<void> {
  const members = named.flatMap((member, index) => {
    const play = find(run, 'collections', member.play, `${path}.${keyOf(index)}`);
    return play === undefined ? [] : [{ ...member, play }];
  });
  try {
    await checkMembers(run.tx, { id, name: form.name }, members, 'importing');
    await writeMembers(run.tx, id, members);
  } catch (error) {
    if (!(error instanceof InvalidError)) throw error;
    run.wrong.push({ path, message: error.message });
  }
}

/** Media that are not in the library yet get their places all the same. */
async function fillManual(
  run: ImportRun,
  id: string,
  path: string,
  media: (CollectionForm & { kind: 'manual' })['media'],
): Promise<void> {
  const { tx, report } = run;
  let position = 0;
  for (const [index, { library, paths }] of media.entries()) {
    const libraryId = find(run, 'libraries', library, `${path}.media.${index}.library`);
    if (libraryId === undefined) continue;
    const known = await mediaIds(tx, libraryId, paths);
    const missing = [...new Set(paths)].filter((one) => !known.has(one));
    await awaitMedia(tx, libraryId, missing);
    for (const [missingPath, mediaId] of await mediaIds(tx, libraryId, missing))
      known.set(missingPath, mediaId);
    await insertMedia(
      tx,
      id,
      position,
      paths.map((one) => known.get(one)!),
      'importing',
    );
    position += paths.length;
    noteAwaited(report, library, missing);
  }
}

const mostExamples = 20;

function noteAwaited({ awaited }: ImportRun['report'], library: string, paths: readonly string[]): void {
  awaited.total += paths.length;
  for (const path of paths.slice(0, mostExamples - awaited.examples.length))
    awaited.examples.push({ library, path });
}

/** The id of what the file names; what is not there is told with its path. */
function find(
  run: ImportRun,
  list: 'libraries' | 'collections',
  name: string,
  path: string,
): string | undefined {
  const id = run[list].get(name);
  const one = list === 'libraries' ? 'library' : 'collection';
  if (id === undefined) run.wrong.push({ path, message: `there is no ${one} "${name}"` });
  return id;
}

/** A collection that has become a playlist may be a member of one that the file does not name. */
async function refuseNestedPlaylists({ tx, file, wrong }: ImportRun): Promise<void> {
  const rows = await tx.execute<{ owner: string; member: string }>(sql`
    select owner.name as owner, member.name as member
    from ${collectionMembers} m
    join ${collections} owner on owner.id = m.collection_id
    join ${collections} member on member.id = m.member_id
    where member.kind = 'playlist'`);
  for (const { owner, member } of rows) {
    const index = file.collections.findIndex(({ name }) => name === member);
    const message = `a playlist cannot be in another collection, and "${owner}" holds it`;
    wrong.push({ path: `collections.${index}.kind`, message });
  }
}
