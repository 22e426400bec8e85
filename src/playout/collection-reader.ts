import { type Content, definitionsOf, resolveContent } from '../db/collection-content.ts';
import type { Database } from '../db/connection.ts';
import type { EpochMs, PlanCollection, PlanMedia } from '../schedule/types.ts';

/** Together; an entry that is larger is not kept. */
const mostMedia = 200_000;
/** Queries can go by the time, and memory is to be given back. */
const keptMs = 60_000;

/** What some collections are, with the members of playlists, by their ids. */
export interface ReadCollections {
  collections: Map<string, PlanCollection>;
  /** What they are called, by their ids. */
  names: Map<string, string>;
  /** Whether any of them changes as time goes by, though nobody changes anything. */
  byTime: boolean;
}

/**
 * Reads collections for the planner. Channels are planned one after the other, and many play the same: what was
 * read a moment ago is not read again.
 */
export class CollectionReader {
  readonly #kept = new Map<
    string,
    { media: Promise<readonly PlanMedia[]>; size: number; forget: NodeJS.Timeout }
  >();
  #edition: number | undefined;

  /** @param edition changes whenever media or collections may have changed; without it everything is read anew */
  async read(
    db: Database,
    collectionIds: readonly string[],
    { now, edition }: { now: EpochMs; edition?: number | undefined },
  ): Promise<ReadCollections> {
    if (edition === undefined || edition !== this.#edition) this.#forgetAll();
    this.#edition = edition;
    const collections = new Map<string, PlanCollection>();
    const names = new Map<string, string>();
    let byTime = false;
    for (const [id, definition] of await definitionsOf(db, collectionIds)) {
      if (definition.name !== undefined) names.set(id, definition.name);
      if (definition.kind === 'playlist') collections.set(id, { playlist: definition.playlist });
      else {
        byTime ||= definition.content.sources.some(goesByTime);
        collections.set(id, await this.#media(db, definition.content, now, edition));
      }
    }
    return { collections, names, byTime };
  }

  async #media(
    db: Database,
    content: Content,
    now: EpochMs,
    edition: number | undefined,
  ): Promise<readonly PlanMedia[]> {
    const key = JSON.stringify(content);
    const known = this.#kept.get(key);
    if (known !== undefined) return await known.media;
    const media = resolveContent(db, content, now);
    // Another edition may have come up while the definitions were read.
    if (edition === undefined || edition !== this.#edition) return await media;
    const forget = setTimeout(() => this.#forget(key, media), keptMs).unref();
    const entry = { media, size: 0, forget };
    this.#kept.set(key, entry);
    try {
      entry.size = (await media).length;
    } catch (error) {
      this.#forget(key, media);
      throw error;
    }
    this.#shrink();
    return await media;
  }

  /** Forgets what was read first. */
  #shrink(): void {
    let size = 0;
    for (const entry of this.#kept.values()) size += entry.size;
    for (const [key, entry] of this.#kept) {
      if (size <= mostMedia) return;
      size -= entry.size;
      this.#forget(key, entry.media);
    }
  }

  #forget(key: string, media: unknown): void {
    const entry = this.#kept.get(key);
    if (entry === undefined || entry.media !== media) return;
    clearTimeout(entry.forget);
    this.#kept.delete(key);
  }

  #forgetAll(): void {
    for (const [key, { media }] of this.#kept) this.#forget(key, media);
  }
}

function goesByTime(source: Content['sources'][number]): boolean {
  return source.kind === 'query' && source.query.addedWithin !== undefined;
}
