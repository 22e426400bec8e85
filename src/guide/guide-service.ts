import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { InvalidError, NotFoundError, UnavailableError } from '../errors.ts';
import type { EpochMs } from '../schedule/types.ts';
import { FragmentStore } from './fragment-store.ts';
import type { GuideChannel } from './guide-channel.ts';
import { GuideDocument } from './guide-document.ts';
import { LocalPieces } from './local-pieces.ts';
import { MediaChanges } from './media-changes.ts';
import type { Packed } from './packed.ts';
import type { Piece } from './piece.ts';
import type { FragmentRequest, RenderedFragment } from './render.ts';
import { shownWindow } from './window.ts';
import { documentHead } from './xmltv.ts';

/** What of the guide somebody wants; by default all of it. */
export interface GuideSelection {
  /** How far ahead, 1 to `guide.days`. */
  days?: number | undefined;
  /** Ids or numbers of channels. */
  channels?: readonly string[] | undefined;
}

/** A guide, and when it last changed. */
export interface GuideSnapshot {
  document: GuideDocument;
  lastModified: EpochMs;
}

export interface GuideServiceDeps {
  /** The enabled channels, in the order of their numbers. A list that has changed is another list. */
  lineup: () => readonly GuideChannel[];
  /** Writes a channel in a worker thread; undefined when it is gone. */
  render: (request: FragmentRequest, signal: AbortSignal) => Promise<RenderedFragment | undefined>;
  /** Writes an address into pieces, in a worker thread. */
  localise: (deflated: Uint8Array[], base: string) => Promise<Packed[]>;
  /** The channels that show media which have changed since an instant. */
  showingChanged: (changedSince: EpochMs) => Promise<string[]>;
  /** While it says so, what has never been written is not yet: timelines are planned first. */
  firstMayWait?: () => boolean;
  config: Pick<Config, 'guide' | 'publicUrl'>;
  log: Logger;
  now?: () => EpochMs;
  /** How long who asks waits for edits that are being written … */
  editWaitMs?: number;
  /** … and for the first guide of all. */
  firstWaitMs?: number;
  retryMs?: number;
  timeoutMs?: number;
  settleMs?: number;
}

/** What a selection was when it was last asked for. */
interface KeptSnapshot {
  digest: string;
  lastModified: EpochMs;
  /** What it was put together from; nothing when that has changed. */
  made: { document: GuideDocument; version: number; lineup: unknown; from: EpochMs; to: EpochMs } | undefined;
}

/** Selections that are kept, so that nothing is put together for the answer that nothing has changed. */
const maxKept = 8;

/**
 * Keeps the guide ready: the part of each channel is written when it changes, and a guide is put together from the
 * parts when somebody asks. Whoever asks after an edit gets the guide with that edit. While parts cannot be
 * written, the last good ones are served; before there is a whole guide, there is none.
 */
export class GuideService {
  readonly #deps: GuideServiceDeps;
  readonly #fragments: FragmentStore;
  readonly #addresses: LocalPieces;
  readonly #media: MediaChanges;
  readonly #kept = new Map<string, KeptSnapshot>();

  constructor(deps: GuideServiceDeps) {
    this.#deps = deps;
    const { localise, log, showingChanged, settleMs = 1_000, retryMs = 5_000 } = deps;
    this.#addresses = new LocalPieces({ localise });
    this.#fragments = new FragmentStore({
      channels: () => deps.lineup().map(({ id }) => id),
      render: (channelId, options) => this.#render(channelId, options),
      firstMayWait: deps.firstMayWait,
      onPiece: (piece, local) => {
        for (const [base, packed] of local) this.#addresses.add(base, piece, packed);
        // Pieces that are out of date are not to be held by a guide that nobody is sent any more.
        for (const kept of this.#kept.values()) kept.made = undefined;
      },
      log,
      now: deps.now,
      retryMs,
      timeoutMs: deps.timeoutMs,
    });
    this.#media = new MediaChanges({
      showingChanged,
      onChannel: (id) => this.invalidate(id),
      log,
      now: () => this.#now(),
      settleMs,
      retryMs,
    });
  }

  /**
   * The guide with all edits made so far, if they can be written within a second; otherwise the last good one.
   * Throws InvalidError and NotFoundError for a selection that cannot be, and UnavailableError when there is no
   * whole guide yet.
   */
  async snapshot(selection: GuideSelection = {}): Promise<GuideSnapshot> {
    const { editWaitMs = 1_000, firstWaitMs = 15_000 } = this.#deps;
    const days = this.#daysOf(selection);
    await this.#fragments.settled(this.#fragments.isComplete ? editWaitMs : firstWaitMs);
    if (!this.#fragments.isComplete) throw this.#unavailable();
    const snapshot = this.#compose(days, selection.channels);
    // With hundreds of channels that took milliseconds, and so does what comes next.
    await nextTurn();
    return snapshot;
  }

  /** Something that the guide shows has changed, of one channel or of all. */
  invalidate(channelId?: string): void {
    this.#fragments.invalidate(channelId);
  }

  /** Titles or pictures of media may have changed. */
  mediaChanged(): void {
    this.#media.noticed();
  }

  /** Writes what is due. To be run often: time moves on. */
  async refresh(): Promise<{ channels: number; bytes: number }> {
    return await this.#fragments.refresh();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#media.stop(), this.#fragments.stop()]);
  }

  async #render(
    channelId: string,
    options: { now: EpochMs; known: Map<EpochMs, string>; signal: AbortSignal },
  ): Promise<RenderedFragment | undefined> {
    const { guide, publicUrl } = this.#deps.config;
    const { now, known, signal } = options;
    return await this.#deps.render(
      { ...guide, channelId, now, known, base: publicUrl, bases: this.#addresses.bases },
      signal,
    );
  }

  #compose(days: number, names: readonly string[] | undefined): GuideSnapshot {
    const key = `${days} ${names?.join(' ') ?? ''}`;
    const { from, to } = shownWindow(this.#now(), days);
    const lineup = this.#deps.lineup();
    const { version } = this.#fragments;
    const old = this.#kept.get(key);
    const made = old?.made;
    if (made?.version === version && made.lineup === lineup && made.from === from && made.to === to) {
      return { document: made.document, lastModified: old!.lastModified };
    }
    const document = this.#document(chosen(lineup, names), from, to);
    const { digest } = document;
    const now = this.#now();
    // A second is the finest that HTTP can tell apart.
    const lastModified =
      old?.digest === digest ? old.lastModified : Math.max(now, (old?.lastModified ?? 0) + 1_000);
    this.#kept.delete(key);
    this.#kept.set(key, { digest, lastModified, made: { document, version, lineup, from, to } });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= maxKept) break;
      this.#kept.delete(oldest);
    }
    return { document, lastModified };
  }

  #document(channels: readonly GuideChannel[], from: EpochMs, to: EpochMs): GuideDocument {
    const shown: GuideChannel[] = [];
    const pieces: Piece[] = [];
    for (const channel of channels) {
      const own = this.#fragments
        .pieces(channel.id)
        ?.filter(({ reaches, start }) => reaches > from && start < to);
      // One that has just been made is there as soon as it is written.
      if (own === undefined || own.length === 0) continue;
      shown.push(channel);
      pieces.push(...own);
    }
    if (shown.length === 0 && channels.length > 0) throw this.#unavailable();
    return new GuideDocument(documentHead(shown), pieces, this.#addresses);
  }

  #daysOf({ days }: GuideSelection): number {
    const max = this.#deps.config.guide.days;
    if (days === undefined) return max;
    if (Number.isSafeInteger(days) && days >= 1 && days <= max) return days;
    throw new InvalidError(`The guide reaches ${max} days ahead: "days" may be 1 to ${max}.`, {
      operation: 'reading the guide',
    });
  }

  #unavailable(): UnavailableError {
    return new UnavailableError('The guide is not available at the moment.', {
      operation: 'reading the guide',
      retryAfterSeconds: Math.ceil((this.#deps.retryMs ?? 5_000) / 1_000),
    });
  }

  #now(): EpochMs {
    return (this.#deps.now ?? Date.now)();
  }
}

/** Names of channels that are gone are passed over, so that an address in a player goes on to work. */
function chosen(
  lineup: readonly GuideChannel[],
  names: readonly string[] | undefined,
): readonly GuideChannel[] {
  if (names === undefined) return lineup;
  const wanted = new Set(names);
  const found = lineup.filter(({ id, number }) => wanted.has(id) || wanted.has(number));
  if (found.length > 0) return found;
  throw new NotFoundError('There is no such channel in the guide.', { operation: 'reading the guide' });
}
