import type { Pick } from './orders/feed.ts';
import type { EpochMs, FillerItem, FillerKind, PlanItem } from './types.ts';

/** A plan as it is being written: each item begins where the last one ends. */
export class Sheet {
  readonly items: PlanItem[] = [];
  /** Where the next item begins. */
  now: EpochMs;
  /** The end of the last item belongs to what was offline before, and may be moved. */
  #open = false;

  constructor(from: EpochMs) {
    this.now = from;
  }

  /** A piece of a programme, from `inMs` of its media until `outMs`. */
  program(pick: Pick, inMs: number, outMs: number, slot: string, guide: number | undefined): void {
    const { media, why } = pick;
    const start = this.now;
    this.now = start + outMs - inMs;
    this.items.push(
      guide === undefined
        ? { kind: 'program', start, stop: this.now, media: media.id, in: inMs, out: outMs, slot, why }
        : { kind: 'program', start, stop: this.now, media: media.id, in: inMs, out: outMs, slot, guide, why },
    );
    this.#open = false;
  }

  /** Filler from its beginning, cut to `lengthMs`. */
  filler(
    filler: FillerKind,
    { media, why }: Pick,
    lengthMs: number,
    slot: string,
    guide: number | undefined,
  ): void {
    const start = this.now;
    this.now = start + lengthMs;
    const item: FillerItem = {
      kind: 'filler',
      start,
      stop: this.now,
      media: media.id,
      in: 0,
      out: lengthMs,
      slot,
      filler,
      why,
    };
    if (guide !== undefined) item.guide = guide;
    this.items.push(item);
    this.#open = false;
  }

  /** Nothing, for the want of something in a slot, if of any. */
  offline(until: EpochMs, slot?: string, guide?: number): void {
    const last = this.items.at(-1);
    if (this.#open && last?.kind === 'offline' && last.slot === slot && last.guide === guide) {
      last.stop = until;
    } else {
      this.items.push({
        kind: 'offline',
        start: this.now,
        stop: until,
        ...(slot === undefined ? {} : { slot }),
        ...(guide === undefined ? {} : { guide }),
      });
    }
    this.now = until;
    this.#open = true;
  }

  mark(): Mark {
    return { items: this.items.length, now: this.now, open: this.#open };
  }

  /** Takes back what has been written since the mark. Nothing of that may be offline. */
  rewind({ items, now, open }: Mark): void {
    this.items.length = items;
    this.now = now;
    this.#open = open;
  }
}

interface Mark {
  items: number;
  now: EpochMs;
  open: boolean;
}
