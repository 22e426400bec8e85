import { z } from 'zod';

// The planner's vocabulary (scheduling contract, section 1). Instants are epoch milliseconds, durations
// milliseconds; only the JSON form of a request (request.ts) speaks ISO 8601.

export type EpochMs = number;

/** How a slot goes through its collection. */
export const orders = ['chronological', 'shuffle', 'custom'] as const;
export type Order = (typeof orders)[number];

const slotBase = {
  id: z.string().min(1).max(100),
  /** The collection's id. */
  play: z.string().min(1),
  order: z.enum(orders).default('chronological'),
};

/** Keys that are not built yet are refused, because every object here is strict. */
export const slotSchema = z.discriminatedUnion('mode', [
  z.strictObject({ ...slotBase, mode: z.literal('flood') }),
  z.strictObject({ ...slotBase, mode: z.literal('one') }),
  z.strictObject({ ...slotBase, mode: z.literal('multiple'), count: z.int().min(1).max(10_000) }),
]);
export type Slot = z.infer<typeof slotSchema>;

export const scheduleSchema = z.strictObject({
  slots: z.array(slotSchema).min(1).max(500).superRefine(refuseDuplicateIds),
});
export type Schedule = z.infer<typeof scheduleSchema>;

/** A media item as far as planning is concerned. */
export interface PlanMedia {
  id: string;
  durationMs: number;
  title?: string;
  show?: string;
  season?: number;
  episode?: number;
  /** YYYY-MM-DD */
  aired?: string;
}

/** Opaque to everybody but the planner; JSON, and small whatever the size of the collections. */
export type Cursors = { [key: string]: unknown };

export interface PlanInput {
  zone: string;
  seed: number;
  /** Window [from, to). */
  from: EpochMs;
  to: EpochMs;
  cursors: Cursors;
  collections: ReadonlyMap<string, readonly PlanMedia[]>;
  schedule: Schedule;
}

export interface ItemReason {
  order: Order;
  /** The how-manieth time the collection is gone through; the first is 1. */
  cycle?: number;
  /** The place in that cycle; the first is 1. */
  position?: number;
}

export type PlanItem =
  | {
      kind: 'program';
      start: EpochMs;
      stop: EpochMs;
      media: string;
      /** Milliseconds into the media. */
      in: number;
      out: number;
      slot: string;
      /** Items of one guide entry share a number; absent means hidden. */
      guide?: number;
      why: ItemReason;
    }
  | { kind: 'offline'; start: EpochMs; stop: EpochMs; slot?: string; guide?: number };

export type ProblemCode = 'empty-collection' | 'never-fits' | 'unreachable-slot';

export interface PlanProblem {
  code: ProblemCode;
  slot: string;
  media?: string;
  message: string;
}

export interface PlanOutput {
  items: PlanItem[];
  cursors: Cursors;
  problems: PlanProblem[];
}

/** Cursors are kept by slot id, so two slots cannot share one. */
function refuseDuplicateIds(slots: Slot[], context: z.RefinementCtx): void {
  const seen = new Set<string>();
  for (const [index, { id }] of slots.entries()) {
    if (seen.has(id)) {
      context.addIssue({
        code: 'custom',
        path: [index, 'id'],
        message: `another slot is called "${id}" too`,
      });
    }
    seen.add(id);
  }
}
