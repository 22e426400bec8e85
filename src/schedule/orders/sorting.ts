import type { SortKey } from '../cursors.ts';
import { compareTexts, type Stock } from '../stock.ts';
import type { PlanMedia } from '../types.ts';

export type Compare = (a: SortKey, b: SortKey) => number;

/** By date aired, then show, season, episode and title. */
export const chronological: Compare = (a, b) =>
  compare(a.aired, b.aired) ||
  compare(a.show, b.show) ||
  compare(a.season, b.season) ||
  compare(a.episode, b.episode) ||
  compare(a.title, b.title);

/** As numbered. */
export const seasonEpisode: Compare = (a, b) =>
  compare(a.show, b.show) ||
  compare(a.season, b.season) ||
  compare(a.episode, b.episode) ||
  compare(a.aired, b.aired) ||
  compare(a.title, b.title);

/** The order of two entries of a stock; there are no two that are equal. */
export function entryOrder({ media }: Stock, compareKeys: Compare): (a: number, b: number) => number {
  return (a, b) => compareKeys(media[a]!, media[b]!) || compareTexts(media[a]!.id, media[b]!.id) || a - b;
}

/** What is remembered of an entry that may be gone by now, or be another. */
export interface Remembered {
  id: string;
  nth: number;
  key: SortKey;
}

/** Whether an entry sorts behind one that is remembered. */
export function isBehind(
  stock: Stock,
  compareKeys: Compare,
  { id, nth, key }: Remembered,
): (index: number) => boolean {
  return (index) => {
    const media = stock.media[index]!;
    return (compareKeys(media, key) || compareTexts(media.id, id) || stock.nth(index) - nth) > 0;
  };
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
function compare<T extends string | number>(left: T | undefined, right: T | undefined): number {
  if (left === right) return 0;
  if (left === undefined) return 1;
  if (right === undefined) return -1;
  return left < right ? -1 : 1;
}
