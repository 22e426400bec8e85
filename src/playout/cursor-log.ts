import type { Cursors, EpochMs } from '../schedule/types.ts';

// A channel needs its cursors at every joint of its timeline, and they are large beside what one joint changes in
// them: a slot that rotates remembers each show. So they are stored whole about once a day, and as changes between.

/** The cursors as they were when everything before `at` had been planned. */
export interface Checkpoint {
  at: EpochMs;
  cursors: Cursors;
}

/** Some checkpoints in a row: the first one whole, the others as changes to the one before. */
export interface PackedCheckpoints extends Checkpoint {
  steps: CursorSteps | null;
}

/** How long after the first checkpoint it is, and what changes until then. */
export type CursorSteps = [afterMs: number, change: Change][];

/** What turns one JSON object into another, or a list into one of the same length. */
export interface Change {
  /** Keys with new values. */
  set?: { [key: string]: unknown };
  /** Keys whose values change within. */
  in?: { [key: string]: Change };
  gone?: string[];
}

const mostMs = 24 * 3_600_000;
const mostSteps = 100;

/** Packs checkpoints, one after the other in order of time. */
export class CursorLog {
  readonly packs: PackedCheckpoints[] = [];
  #last: Cursors = {};

  add({ at, cursors }: Checkpoint): void {
    const current = this.packs.at(-1);
    const steps = current?.steps ?? [];
    if (current === undefined || at - current.at >= mostMs || steps.length >= mostSteps) {
      this.packs.push({ at, cursors, steps: null });
    } else {
      steps.push([at - current.at, changeOf(this.#last, cursors) ?? {}]);
      current.steps = steps;
    }
    this.#last = cursors;
  }
}

export function unpacked({ at, cursors, steps }: PackedCheckpoints): Checkpoint[] {
  const all = [{ at, cursors }];
  for (const [afterMs, change] of steps ?? []) {
    all.push({ at: at + afterMs, cursors: changed(all.at(-1)!.cursors, change) as Cursors });
  }
  return all;
}

/** Without the first checkpoint of all. */
export function withoutFirst([first, ...rest]: readonly PackedCheckpoints[]): PackedCheckpoints[] {
  const log = new CursorLog();
  if (first !== undefined) for (const checkpoint of unpacked(first).slice(1)) log.add(checkpoint);
  return [...log.packs, ...rest];
}

/** Undefined when both are the same. */
function changeOf(from: object, to: object): Change | undefined {
  const [before, after] = [from, to] as [{ [key: string]: unknown }, { [key: string]: unknown }];
  const set = {};
  const inner = {};
  for (const [key, value] of Object.entries(after)) {
    const old = before[key];
    if (Object.is(old, value)) continue;
    if (alike(old, value)) {
      const change = changeOf(old, value as object);
      if (change !== undefined) own(inner, key, change);
    } else own(set, key, value);
  }
  const gone = Object.keys(before).filter((key) => !Object.hasOwn(after, key));
  const change: Change = {
    ...(Object.keys(set).length === 0 ? {} : { set }),
    ...(Object.keys(inner).length === 0 ? {} : { in: inner }),
    ...(gone.length === 0 ? {} : { gone }),
  };
  return Object.keys(change).length === 0 ? undefined : change;
}

function changed(value: object, change: Change): object {
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as { [key: string]: unknown };
  for (const key of change.gone ?? []) delete copy[key];
  for (const [key, set] of Object.entries(change.set ?? {})) own(copy, key, set);
  for (const [key, inner] of Object.entries(change.in ?? {}))
    own(copy, key, changed(copy[key] as object, inner));
  return copy;
}

/** Two objects, or two lists of the same length: a list of another length is a new one. */
function alike(a: unknown, b: unknown): a is object {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (!Array.isArray(a) || !Array.isArray(b)) return Array.isArray(a) === Array.isArray(b);
  return a.length === b.length;
}

/** As an own property, whatever the key is called. */
function own(target: { [key: string]: unknown }, key: string, value: unknown): void {
  if (key !== '__proto__') target[key] = value;
  else Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}
