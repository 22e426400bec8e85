import { type Digest, digest } from './hash.ts';
import type { PlanMedia } from './types.ts';

/** What is shorter cannot be aired. It also bounds how many items a day can have. */
export const shortestMs = 1_000;

/** One place in a collection. A collection may list a media more than once, so the media's id is not enough. */
export class Entry {
  /** Names this entry in a cursor. */
  readonly ref: string;
  readonly media: PlanMedia;
  /** How many entries of the same media come before it in the collection. */
  readonly nth: number;
  readonly lengthMs: number;
  /** What it is a part of, and the how-manieth. What stands alone is a whole of one part. */
  readonly whole: string;
  readonly part: number;
  #digested: Digest | undefined;

  constructor(media: PlanMedia, nth: number, place?: { whole: string; part: number }) {
    this.ref = `${nth}:${media.id}`;
    this.media = media;
    this.nth = nth;
    this.lengthMs = Math.floor(media.durationMs);
    this.whole = place?.whole ?? this.ref;
    this.part = place?.part ?? 1;
  }

  /** A digest of the whole. */
  digested(): Digest {
    this.#digested ??= digest(this.whole);
    return this.#digested;
  }
}

/** What of a collection can be placed. */
export class Stock {
  readonly entries: readonly Entry[];
  /** Of the shortest entry; infinite when there is none. */
  readonly leastMs: number;
  #byLength: readonly Entry[] | undefined;
  #byMedia: ReadonlyMap<string, readonly Entry[]> | undefined;

  constructor(entries: readonly Entry[]) {
    this.entries = entries;
    this.leastMs = entries.reduce(
      (least, { lengthMs }) => Math.min(least, lengthMs),
      Number.POSITIVE_INFINITY,
    );
  }

  /** The entries of one media. */
  ofMedia(id: string): readonly Entry[] {
    this.#byMedia ??= groupBy(this.entries, ({ media }) => media.id);
    return this.#byMedia.get(id) ?? [];
  }

  /** Shortest first. */
  get byLength(): readonly Entry[] {
    this.#byLength ??= this.entries.toSorted((a, b) => a.lengthMs - b.lengthMs || compareRefs(a.ref, b.ref));
    return this.#byLength;
  }

  /** How many entries last no longer than `maxMs`; they are the first in `byLength`. */
  countWithin(maxMs: number): number {
    let low = 0;
    let high = this.byLength.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.byLength[middle]!.lengthMs <= maxMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** @param fits what of the collection can be placed, besides having a length */
export function stockOf(collection: readonly PlanMedia[], fits: (media: PlanMedia) => boolean): Stock {
  const entries: Entry[] = [];
  const count = new Map<string, number>();
  for (const media of collection) {
    if (!canAir(media) || !fits(media)) continue;
    const nth = count.get(media.id) ?? 0;
    count.set(media.id, nth + 1);
    entries.push(new Entry(media, nth));
  }
  return new Stock(entries);
}

export function groupBy<K>(entries: readonly Entry[], keyOf: (entry: Entry) => K): Map<K, Entry[]> {
  const groups = new Map<K, Entry[]>();
  for (const entry of entries) {
    const key = keyOf(entry);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [entry]);
    else group.push(entry);
  }
  return groups;
}

/** Whether a media has a length, and enough of it. */
export function canAir({ durationMs }: PlanMedia): boolean {
  return Number.isFinite(durationMs) && durationMs >= shortestMs;
}

/** What a cursor's `ref` says of an entry that may be gone by now. */
export function parseRef(ref: string): { id: string; nth: number } {
  const colon = ref.indexOf(':');
  return { id: ref.slice(colon + 1), nth: Number(ref.slice(0, colon)) };
}

/** By code unit and not by locale: a plan must not depend on the machine. */
export function compareRefs(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
