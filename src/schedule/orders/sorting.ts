import type { SortKey } from '../cursors.ts';
import { compareRefs, type Entry } from '../stock.ts';
import type { PlanMedia } from '../types.ts';

export type Field = keyof SortKey;

/** What is remembered of an entry that is gone. */
export interface Gone {
  id: string;
  nth: number;
  key: SortKey;
}

/** By date aired, then show, season, episode, title and id. */
export const chronological: readonly Field[] = ['aired', 'show', 'season', 'episode', 'title'];
/** As numbered. */
export const seasonEpisode: readonly Field[] = ['show', 'season', 'episode', 'aired', 'title'];

export function sorted(entries: readonly Entry[], fields: readonly Field[]): Entry[] {
  return entries.toSorted(
    (a, b) => compareKeys(fields, a.media, b.media) || compareRefs(a.media.id, b.media.id) || a.nth - b.nth,
  );
}

/** The index of the first entry that sorts behind one that is gone. */
export function indexBehind(entries: readonly Entry[], fields: readonly Field[], gone: Gone): number {
  const index = entries.findIndex(
    ({ media, nth }) =>
      (compareKeys(fields, media, gone.key) || compareRefs(media.id, gone.id) || nth - gone.nth) > 0,
  );
  return index >= 0 ? index : entries.length;
}

export function keyOf({ aired, show, season, episode, title }: PlanMedia): SortKey {
  return {
    ...(aired === undefined ? {} : { aired }),
    ...(show === undefined ? {} : { show }),
    ...(season === undefined ? {} : { season }),
    ...(episode === undefined ? {} : { episode }),
    ...(title === undefined ? {} : { title }),
  };
}

/** What lacks a field comes after what has it. */
function compareKeys(fields: readonly Field[], a: SortKey, b: SortKey): number {
  for (const field of fields) {
    const left = a[field];
    const right = b[field];
    if (left === right) continue;
    if (left === undefined) return 1;
    if (right === undefined) return -1;
    return left < right ? -1 : 1;
  }
  return 0;
}
