import type { Chunk, EntryPoint } from '../mpegts/muxer.ts';

/** A place in a ring: the chunk and the byte in it. */
export interface Cursor {
  sequence: number;
  offset: number;
}

export type RingEntry = EntryPoint & { cursor: Cursor };

interface Held {
  chunk: Chunk;
  /** The channel's position before and after the chunk, in ticks. */
  from: number;
  position: number;
}

/**
 * The last seconds of a channel, shared by all its viewers: bounded in time and bytes, indexed by the places
 * where a viewer can enter. Nothing in it is copied, and the newest entry is never dropped.
 */
export class Ring {
  private readonly held: Held[] = [];
  private firstSequence = 0;
  private size = 0;
  private entries: RingEntry[] = [];

  constructor(private readonly limits: { ticks: number; bytes: number }) {}

  /** The sequence of the oldest chunk. */
  get first(): number {
    return this.firstSequence;
  }

  /** The sequence that the next chunk will have. */
  get next(): number {
    return this.firstSequence + this.held.length;
  }

  get bytes(): number {
    return this.size;
  }

  push(chunk: Chunk, position: number): void {
    const sequence = this.next;
    this.held.push({ chunk, from: this.held.at(-1)?.position ?? position, position });
    this.size += chunk.bytes.length;
    for (const entry of chunk.entries) {
      this.entries.push({ ...entry, cursor: { sequence, offset: entry.offset } });
    }
    this.trim(position);
  }

  get(sequence: number): Chunk | undefined {
    return this.held[sequence - this.firstSequence]?.chunk;
  }

  /** How many ticks the channel is ahead of the beginning of a chunk. */
  lagOf(sequence: number): number {
    const next = this.held[Math.max(0, sequence - this.firstSequence)];
    return next === undefined ? 0 : (this.held.at(-1) as Held).position - next.from;
  }

  /** The newest entry that is shown at or before `pts`, else the oldest there is. */
  entryFor(pts: number): RingEntry | undefined {
    return this.entries.findLast((entry) => entry.pts <= pts) ?? this.entries[0];
  }

  newestEntry(): RingEntry | undefined {
    return this.entries.at(-1);
  }

  private trim(position: number): void {
    const keep = this.entries.at(-1)?.cursor.sequence ?? this.firstSequence;
    let drop = 0;
    while (this.firstSequence + drop < keep) {
      const oldest = this.held[drop];
      if (oldest === undefined) break;
      if (this.size <= this.limits.bytes && position - oldest.position <= this.limits.ticks) break;
      this.size -= oldest.chunk.bytes.length;
      drop++;
    }
    if (drop === 0) return;
    this.held.splice(0, drop);
    this.firstSequence += drop;
    this.entries = this.entries.filter((entry) => entry.cursor.sequence >= this.firstSequence);
  }
}
