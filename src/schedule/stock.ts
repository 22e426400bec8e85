import type { PlanMedia } from './types.ts';

/** One place in a collection. A collection may list a media more than once, so the media's id is not enough. */
export interface Entry {
  /** Names this entry in a cursor. */
  ref: string;
  media: PlanMedia;
  /** How many entries of the same media come before it in the collection. */
  nth: number;
}

/** A collection, split into what can be placed and what never can. */
export interface Stock {
  entries: readonly Entry[];
  /** Media without a length of at least a millisecond. */
  unfit: readonly PlanMedia[];
}

export function stockOf(collection: readonly PlanMedia[]): Stock {
  const entries: Entry[] = [];
  const unfit = new Map<string, PlanMedia>();
  const count = new Map<string, number>();
  for (const media of collection) {
    if (!(Number.isFinite(media.durationMs) && media.durationMs >= 1)) {
      unfit.set(media.id, media);
      continue;
    }
    const nth = count.get(media.id) ?? 0;
    count.set(media.id, nth + 1);
    entries.push({ ref: `${nth}:${media.id}`, media, nth });
  }
  return { entries, unfit: [...unfit.values()] };
}

/** What a cursor's `ref` says of an entry that may be gone by now. */
export function parseRef(ref: string): { id: string; nth: number } {
  const colon = ref.indexOf(':');
  return { id: ref.slice(colon + 1), nth: Number(ref.slice(0, colon)) };
}
