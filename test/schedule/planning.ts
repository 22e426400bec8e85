import { plan } from '../../src/schedule/plan.ts';
import type { Cursors, PlanInput, PlanItem, PlanMedia, PlanOutput, Slot } from '../../src/schedule/types.ts';

// Short words in which the tests of the planner speak.

export const minute = 60_000;
export const hour = 60 * minute;

export type ProgramItem = Extract<PlanItem, { kind: 'program' }>;

export type Media = { [name: string]: readonly PlanMedia[] };

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

export function inputOf(
  slots: Slot[],
  collections: Media,
  window: { from?: number; to: number; cursors?: Cursors; seed?: number },
): PlanInput {
  return {
    zone: 'UTC',
    seed: 1,
    from: 0,
    cursors: {},
    collections: new Map(Object.entries(collections)),
    schedule: { slots },
    ...window,
  };
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
    public collections: Media,
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
