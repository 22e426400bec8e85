import { plan } from '../../src/schedule/plan.ts';
import type {
  Cursors,
  PlanCollection,
  PlanInput,
  PlanItem,
  PlanMedia,
  PlanOutput,
  ProgramItem,
  Schedule,
  Slot,
} from '../../src/schedule/types.ts';
import type { GeneratedChannel } from './schedules.mjs';

// Short words in which the tests of the planner speak.

export const minute = 60_000;
export const hour = 60 * minute;

export type Library = { [name: string]: PlanCollection };

export function media(id: string, minutes = 60, more: Partial<PlanMedia> = {}): PlanMedia {
  return { id, durationMs: minutes * minute, ...more };
}

/** Media of an hour, one for each id. */
export function hours(...ids: string[]): PlanMedia[] {
  return ids.map((id) => media(id));
}

/** A flood in custom order, unless said. */
export function slot(id: string, play: string, more: object = {}): Slot {
  return { id, play, order: 'custom', mode: 'flood', ...more } as Slot;
}

interface Window {
  from?: number;
  to: number;
  cursors?: Cursors;
  seed?: number;
  zone?: string;
  days?: Schedule['days'];
  checkpointEveryMs?: number;
}

export function inputOf(slots: Slot[], collections: Library, window: Window): PlanInput {
  const { days, ...rest } = window;
  return {
    zone: 'UTC',
    seed: 1,
    from: 0,
    cursors: {},
    collections: new Map(Object.entries(collections)),
    schedule: { slots, ...(days === undefined ? {} : { days }) },
    ...rest,
  };
}

/** Plans a generated channel from its beginning, or from where cursors have left it. */
export function planned(
  { zone, seed, from, schedule, library }: GeneratedChannel,
  window: { from?: number; to: number; cursors?: Cursors },
): PlanOutput {
  const collections = new Map(Object.entries(library));
  return plan({ zone, seed, from, cursors: {}, collections, schedule, ...window });
}

/** An offline stretch that was planned in two windows is two items. */
export function joined(items: readonly PlanItem[]): PlanItem[] {
  const result: PlanItem[] = [];
  for (const item of items) {
    const last = result.at(-1);
    const same = last?.kind === 'offline' && item.kind === 'offline' && last.slot === item.slot;
    if (same && last.guide === item.guide) result[result.length - 1] = { ...last, stop: item.stop };
    else result.push(item);
  }
  return result;
}

/** "a0:00 f0:55 offline1:00": what is on when, in hours and minutes since an instant. */
export function shown({ items }: PlanOutput, since = 0): string {
  return items
    .map((item) => `${item.kind === 'offline' ? 'offline' : item.media}${clock(item.start - since)}`)
    .join(' ');
}

function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000) % 60;
  const minutes = Math.floor(ms / minute) % 60;
  const two = (n: number) => String(n).padStart(2, '0');
  return `${Math.floor(ms / hour)}:${two(minutes)}${seconds === 0 ? '' : `:${two(seconds)}`}`;
}

export function programs({ items }: PlanOutput): ProgramItem[] {
  return items.filter((item) => item.kind === 'program');
}

/** The media that play, in order. */
export function aired(output: PlanOutput): string[] {
  return programs(output).map((item) => item.media);
}

/** A channel that is planned step by step, its cursors stored as JSON in between. */
export class Channel {
  cursors: Cursors = {};
  now = 0;

  constructor(
    public slots: Slot[],
    public collections: Library,
    private readonly seed = 1,
  ) {}

  /** Plans item by item until that many have been placed, and tells which media they are. */
  play(count: number): string[] {
    return Array.from({ length: count }, () => this.extend(this.now + 1)).flatMap(aired);
  }

  extend(to: number): PlanOutput {
    const { slots, collections, cursors, now: from, seed } = this;
    const output = plan(inputOf(slots, collections, { from, to, cursors, seed }));
    this.cursors = JSON.parse(JSON.stringify(output.cursors));
    this.now = output.items.at(-1)?.stop ?? this.now;
    return output;
  }
}
