import { awaitMedia, mediaIds } from '../db/media.ts';
import { insertCheckpoints, insertRows, type NewPlayoutRow } from '../db/playout.ts';
import { renameInCursors } from './cursor-names.ts';
import type { TimelineForm, TimelineItemForm } from './format.ts';
import type { ImportRun } from './import-run.ts';

/** Lets a new channel go on where the one of the file was. */
export async function importTimeline(
  run: ImportRun,
  channelId: string,
  { at, cursors, items = [] }: TimelineForm,
  path: string,
): Promise<void> {
  const { tx, collections } = run;
  const idOf = (name: string) => collections.get(name) ?? name;
  const media = await mediaOf(run, items, path);
  const rows = items.map((item): NewPlayoutRow => {
    const { start, stop, kind, in: inMs = null, out: outMs = null, slot = null, why } = item;
    const { filler = null, guide = null } = item;
    return {
      ...{ startsAt: Date.parse(start), endsAt: Date.parse(stop), kind, inMs, outMs, slot, filler, guide },
      mediaId: media.get(item) ?? null,
      why: why === undefined ? null : { ...why, ...(why.member && { member: idOf(why.member) }) },
    };
  });
  await insertRows(tx, channelId, rows);
  const checkpoint = { at: Date.parse(at), cursors: renameInCursors(cursors, idOf), steps: null };
  await insertCheckpoints(tx, channelId, [checkpoint]);
}

/** The ids of what items play; what no scan has found yet gets its row now. */
async function mediaOf(
  run: ImportRun,
  items: readonly TimelineItemForm[],
  path: string,
): Promise<Map<TimelineItemForm, string>> {
  const wanted = new Map<string, Set<string>>();
  for (const [index, { media }] of items.entries()) {
    if (media === undefined) continue;
    const id = run.libraries.get(media.library);
    if (id === undefined) {
      const where = `${path}.timeline.items.${index}.media.library`;
      run.wrong.push({ path: where, message: `there is no library "${media.library}"` });
    } else wanted.set(id, (wanted.get(id) ?? new Set()).add(media.path));
  }
  const known = new Map<string, ReadonlyMap<string, string>>();
  for (const [id, paths] of wanted) {
    await awaitMedia(run.tx, id, [...paths]);
    known.set(id, await mediaIds(run.tx, id, [...paths]));
  }
  const found = new Map<TimelineItemForm, string>();
  for (const item of items) {
    const { library = '', path: file = '' } = item.media ?? {};
    const id = known.get(run.libraries.get(library) ?? '')?.get(file);
    if (id !== undefined) found.set(item, id);
  }
  return found;
}
