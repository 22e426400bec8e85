import { type Content, definitionsOf, resolveContent } from '../db/collection-content.ts';
import type { Database } from '../db/connection.ts';
import type { EpochMs, PlanCollection, PlanMedia } from '../schedule/types.ts';

/** Together; an entry that is larger is not kept. */
const mostMedia = 200_000;
/** Memory is given back a while after the last plan. */
const keptMs = 60_000;

/**
 * Reads collections for the planner. Channels are planned one after the other, and many play the same: what was
 * read a moment ago is not read again.
 */
export class CollectionReader {
  readonly #read = new Map<string, { media: Promise<readonly PlanMedia[]>; size: number }>();
  #edition = 0;
  #forget: NodeJS.Timeout | undefined;

  /**
   * What some collections are, with the members of playlists, by their ids.
   *
   * @param edition changes whenever media or collections may have changed; without it everything is read anew
   */
  async read(
    db: Database,
    collectionIds: readonly string[],
    { now, edition }: { now: EpochMs; edition?: number | undefined },
  ): Promise<Map<string, PlanCollection>> {
    if (edition !== this.#edition) this.#read.clear();
    this.#edition = edition ?? 0;
    const collections = new Map<string, PlanCollection>();
    for (const [id, definition] of await definitionsOf(db, collectionIds)) {
      if (definition.kind === 'playlist') collections.set(id, { playlist: definition.playlist });
      else collections.set(id, await this.#media(db, definition.content, now, edition));
    }
    return collections;
  }

  async #media(
    db: Database,
    content: Content,
    now: EpochMs,
    edition: number | undefined,
  ): Promise<readonly PlanMedia[]> {
    const key = JSON.stringify(content);
    const known = edition === this.#edition ? this.#read.get(key) : undefined;
    if (known !== undefined) return await known.media;
    const media = resolveContent(db, content, now);
    if (edition === undefined) return await media;
    const entry = { media, size: 0 };
    this.#read.set(key, entry);
    try {
      entry.size = (await media).length;
    } catch (error) {
      if (this.#read.get(key) === entry) this.#read.delete(key);
      throw error;
    }
    this.#shrink();
    clearTimeout(this.#forget);
    this.#forget = setTimeout(() => this.#read.clear(), keptMs).unref();
    return await media;
  }

  /** Forgets what was read first. */
  #shrink(): void {
    let size = 0;
    for (const entry of this.#read.values()) size += entry.size;
    for (const [key, entry] of this.#read) {
      if (size <= mostMedia) return;
      size -= entry.size;
      this.#read.delete(key);
    }
  }
}
