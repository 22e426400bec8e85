import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import { messageOf, UnavailableError } from '../errors.ts';
import type { EpochMs } from '../schedule/types.ts';
import { InTime } from './in-time.ts';
import type { Packed } from './packed.ts';
import type { Piece } from './piece.ts';
import type { RenderedFragment } from './render.ts';
import { pieceFloor } from './window.ts';

export interface FragmentStoreDeps {
  /** The ids of the channels that are in the guide. */
  channels: () => readonly string[];
  /** Writes one channel; undefined when it is gone. Gives up when the signal aborts. */
  render: (
    channelId: string,
    options: { now: EpochMs; known: Map<EpochMs, string>; signal: AbortSignal },
  ) => Promise<RenderedFragment | undefined>;
  /** While it says so, channels that have no part yet wait: others have a better use for the thread. */
  firstMayWait?: (() => boolean) | undefined;
  /** A new piece, with each of the addresses in it that it was asked to be written for. */
  onPiece: (piece: Piece, local: ReadonlyMap<string, Packed>) => void;
  log: Logger;
  now?: (() => EpochMs) | undefined;
  /** No new attempt at a channel so soon after one that failed. */
  retryMs?: number | undefined;
  timeoutMs?: number | undefined;
}

interface Kept {
  pieces: readonly Piece[] | undefined;
  /** The last edit that concerns it, and the last one that it shows. */
  edit: number;
  shown: number;
  /** The piece of time in which it was written: in the next one, another is due at its end. */
  writtenIn: EpochMs;
  failures: number;
  /** By the monotonic clock. */
  retryAtMs: number;
}

/** When so many channels, or all of them, fail one after the other, it is not their fault: the database is away. */
const failingInRow = 3;
/** A channel that has failed so often, while others have not, does not keep these from being shown. */
const hopeless = 3;
/** So many parts are written in the time that somebody waits. Of more edits, only the last ones are waited for. */
const soonWritten = 25;
const lastEdits = 4;
const operation = 'writing the guide';

/**
 * Keeps the part of each channel in the guide, written and packed, and writes anew what has changed: first what has
 * been edited, the last edit first, because somebody may be waiting for it; then what has no part yet, then what time
 * has moved on for. One channel at a time, in a worker thread.
 */
export class FragmentStore {
  readonly #deps: FragmentStoreDeps;
  readonly #kept = new Map<string, Kept>();
  #waiting: { edit: number; done: () => void }[] = [];
  /** Counts edits. */
  #edits = 0;
  #version = 0;
  #working: Promise<void> | undefined;
  #rendering: InTime | undefined;
  /** Channels that have failed since one was written. */
  readonly #failing = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #complete = false;
  #stopped = false;

  constructor(deps: FragmentStoreDeps) {
    this.#deps = deps;
  }

  /** Grows with every change of what is kept. */
  get version(): number {
    return this.#version;
  }

  /** Undefined while there is none. */
  pieces(channelId: string): readonly Piece[] | undefined {
    return this.#kept.get(channelId)?.pieces;
  }

  /** Whether there has been a time at which every channel had its part. From then on there is something to show. */
  get isComplete(): boolean {
    this.#complete ||= this.#deps.channels().every((id) => {
      const kept = this.#kept.get(id);
      return kept?.pieces !== undefined || (kept?.failures ?? 0) >= hopeless;
    });
    return this.#complete;
  }

  /** Something that the guide shows of a channel has changed; without an id, of all of them. */
  invalidate(channelId?: string): void {
    this.#edits++;
    for (const id of channelId === undefined ? this.#deps.channels() : [channelId]) {
      const kept = this.#keep(id);
      kept.edit = this.#edits;
      kept.retryAtMs = 0;
    }
    this.#work();
  }

  /** Writes whatever is due, and waits for it. Throws UnavailableError when something could not be written. */
  async refresh(): Promise<{ channels: number; bytes: number }> {
    for (const kept of this.#kept.values()) kept.retryAtMs = 0;
    this.#work();
    await this.#working;
    const failed = [...this.#kept.values()].filter(({ failures }) => failures > 0).length;
    if (failed > 0) {
      throw new UnavailableError(`The guide of ${failed} channels could not be written.`, { operation });
    }
    let bytes = 0;
    for (const { pieces = [] } of this.#kept.values()) {
      for (const { packed } of pieces) bytes += packed.deflated.length;
    }
    return { channels: this.#kept.size, bytes };
  }

  /**
   * Waits until all edits made so far are in, but not for long, and not for channels that cannot be written. Amid
   * hundreds of edits, as when a library has changed, it waits for the last ones only, which are written first.
   */
  async settled(limitMs: number): Promise<void> {
    const edit = this.#edits;
    if (!this.#owes(edit)) return;
    this.#work();
    await new Promise<void>((resolve) => {
      const waiting = { edit, done: resolve };
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((each) => each !== waiting);
        resolve();
      }, limitMs);
      waiting.done = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiting.push(waiting);
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#rendering?.giveUp(new UnavailableError('The server stops.', { operation }));
    for (const { done } of this.#waiting.splice(0)) done();
    await this.#working;
  }

  #work(): void {
    if (this.#stopped) return;
    this.#working ??= this.#writeAll().finally(() => {
      this.#working = undefined;
      this.#tell();
      this.#workAgain();
    });
  }

  /** While nothing can be written, one channel is tried. */
  async #writeAll(): Promise<void> {
    do {
      const next = this.#next();
      if (next === undefined || this.#stopped) return;
      await this.#write(next);
      this.#tell();
    } while (!this.#isAway);
  }

  /** The channel whose turn it is. What is not in the guide any more is forgotten by the way. */
  #next(): string | undefined {
    const ids = new Set(this.#deps.channels());
    for (const id of this.#kept.keys()) if (!ids.has(id)) this.#kept.delete(id);
    const writtenIn = pieceFloor(this.#now());
    const nowMs = performance.now();
    const firstMayWait = this.#deps.firstMayWait?.() ?? false;
    let best: { id: string; rank: number; failures: number; edit: number } | undefined;
    for (const id of ids) {
      const kept = this.#keep(id);
      const { edit, shown, pieces, failures } = kept;
      if (kept.retryAtMs > nowMs || (pieces === undefined && firstMayWait)) continue;
      const isEdited = edit > shown;
      if (!isEdited && pieces !== undefined && kept.writtenIn === writtenIn) continue;
      const candidate = { id, rank: pieces === undefined ? 1 : isEdited ? 0 : 2, failures, edit };
      if (best === undefined || comesBefore(candidate, best)) best = candidate;
    }
    return best?.id;
  }

  #keep(id: string): Kept {
    let kept = this.#kept.get(id);
    if (kept === undefined) {
      kept = { pieces: undefined, edit: 0, shown: 0, writtenIn: 0, failures: 0, retryAtMs: 0 };
      this.#kept.set(id, kept);
    }
    return kept;
  }

  async #write(channelId: string): Promise<void> {
    const kept = this.#keep(channelId);
    const { edit } = kept;
    const now = this.#now();
    const known = new Map((kept.pieces ?? []).map(({ start, hash }) => [start, hash]));
    try {
      this.#rendering = new InTime();
      const rendered = await this.#rendering.run(
        (signal) => this.#deps.render(channelId, { now, known, signal }),
        this.#deps.timeoutMs ?? 60_000,
        operation,
      );
      this.#failing.clear();
      // One that is gone will be out of the list of channels soon.
      if (rendered === undefined) kept.retryAtMs = performance.now() + this.#retryMs;
      else this.#accept(kept, rendered);
      Object.assign(kept, { shown: edit, writtenIn: pieceFloor(now), failures: 0 });
      if (rendered?.problem !== undefined) {
        const { problem } = rendered;
        this.#deps.log.warn({ channelId, problem }, 'the timeline of a channel cannot be written as a guide');
      }
    } catch (error) {
      kept.failures++;
      kept.retryAtMs = performance.now() + this.#retryMs;
      this.#failing.add(channelId);
      if (this.#isAway) for (const each of this.#kept.values()) each.failures = Math.min(each.failures, 1);
      this.#deps.log.warn({ channelId, reason: messageOf(error) }, 'writing the guide of a channel failed');
    }
  }

  #accept(kept: Kept, rendered: RenderedFragment): void {
    const old = new Map((kept.pieces ?? []).map((piece) => [piece.start, piece]));
    const pieces = rendered.pieces.map(({ start, reaches, hash, content }) => {
      if (content === undefined) return old.get(start)!;
      const { packed, open, local } = content;
      const piece: Piece = { start, reaches, hash, packed, open };
      this.#deps.onPiece(piece, local);
      return piece;
    });
    const isSame =
      pieces.length === kept.pieces?.length && pieces.every((piece, at) => piece === kept.pieces?.[at]);
    if (isSame) return;
    kept.pieces = pieces;
    this.#version++;
  }

  /** Whether an edit up to this one is not shown yet, and soon might be. */
  #owes(edit: number): boolean {
    if (this.#stopped || (this.#isAway && this.#working === undefined)) return false;
    const nowMs = performance.now();
    const owed = this.#deps.channels().filter((id) => {
      const kept = this.#kept.get(id);
      if (kept === undefined) return true;
      if (kept.retryAtMs > nowMs) return false;
      return kept.pieces === undefined || (kept.edit > kept.shown && kept.shown < edit);
    });
    if (owed.length <= soonWritten || !this.isComplete) return owed.length > 0;
    return owed.some((id) => (this.#kept.get(id)?.edit ?? 0) > edit - lastEdits);
  }

  #tell(): void {
    if (this.#waiting.length === 0) return;
    const owed = (edit: number) => this.#owes(edit);
    const settled = this.#waiting.filter(({ edit }) => !owed(edit));
    this.#waiting = this.#waiting.filter((each) => !settled.includes(each));
    for (const { done } of settled) done();
  }

  /** What came in at the last moment, or has failed. */
  #workAgain(): void {
    if (!this.#isAway && this.#next() !== undefined) this.#work();
    else if ([...this.#kept.values()].some(({ failures }) => failures > 0)) this.#workIn(this.#retryMs);
  }

  get #isAway(): boolean {
    return this.#failing.size >= Math.max(1, Math.min(failingInRow, this.#deps.channels().length));
  }

  #workIn(delayMs: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#work(), delayMs).unref();
  }

  get #retryMs(): number {
    return this.#deps.retryMs ?? 5_000;
  }

  #now(): EpochMs {
    return (this.#deps.now ?? Date.now)();
  }
}

interface Candidate {
  rank: number;
  failures: number;
  edit: number;
}

function comesBefore(a: Candidate, b: Candidate): boolean {
  return (a.failures - b.failures || a.rank - b.rank || b.edit - a.edit) < 0;
}
