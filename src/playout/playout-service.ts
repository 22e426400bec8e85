import PQueue from 'p-queue';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { type FullChannel, fullChannels } from '../db/channels.ts';
import type { Database } from '../db/connection.ts';
import {
  channelExtents,
  deletePast,
  deletePastCheckpoints,
  listPlayout,
  timelineItem,
  timelineMedia,
} from '../db/playout.ts';
import { AircheckError, NotFoundError } from '../errors.ts';
import type { ProfileSpec } from '../ffmpeg/profile.ts';
import type { Loudness } from '../library/analysis.ts';
import type { EpochMs } from '../schedule/types.ts';
import { ChannelPlanner, compared } from './channel-planner.ts';
import { ChannelStates, type PlayoutStatus } from './channel-states.ts';
import { type Explanation, explain } from './explain.ts';
import type { LineupChannel } from './lineup.ts';
import type { PlanChannelRequest, PlanChannelResult } from './plan-channel.ts';
import type { Preview, PreviewRequest } from './preview.ts';
import { ReviewSoon } from './review-soon.ts';
import { itemAt, type TimelineItem } from './timeline.ts';
import { TimelineWindows } from './timeline-windows.ts';

export interface ExtendResult {
  channels: number;
  /** How many of them were planned. */
  planned: number;
  added: number;
  removed: number;
  /** Rows that were over for long. */
  forgotten: number;
}

export interface PlayoutDeps {
  db: Database;
  log: Logger;
  config: Config['playout'];
  /** Plans in a worker thread; undefined when the channel is gone. */
  plan: (request: PlanChannelRequest) => Promise<PlanChannelResult | undefined>;
  /** Likewise. */
  preview?: (request: PreviewRequest) => Promise<Preview | undefined>;
  now?: () => EpochMs;
  /** Media that change together are looked at together. */
  settleMs?: number;
}

const hourMs = 3_600_000;
const pastBatch = 2_000;
const longestWaitMs = 600_000;

/** Knows what is on on every channel, from memory, and keeps the timelines as long as they have to be. */
export class PlayoutService {
  readonly #deps: PlayoutDeps;
  readonly #now: () => EpochMs;
  readonly #windows: TimelineWindows;
  readonly #listeners = new Set<(channelId: string) => void>();
  readonly #channels = new ChannelStates();
  readonly #reviewSoon: ReviewSoon;
  readonly #planner: ChannelPlanner;
  #advance: Promise<void> | undefined;
  #stopped = false;

  constructor(deps: PlayoutDeps) {
    this.#deps = deps;
    this.#now = deps.now ?? Date.now;
    this.#windows = new TimelineWindows({ db: deps.db, now: this.#now });
    this.#planner = new ChannelPlanner({
      ...{ log: deps.log, config: deps.config, plan: deps.plan, now: this.#now, channels: this.#channels },
      onChange: (channelId) => this.#timelineChanged(channelId),
    });
    this.#reviewSoon = new ReviewSoon(() => this.#review(), deps.settleMs ?? 2_000);
  }

  /** Reads the channels and their near timelines. Nothing is planned before `extendAll`. */
  async start(): Promise<void> {
    this.#channels.set(...(await fullChannels(this.#deps.db)));
    await this.#readExtents();
    for (const id of this.#channels.ids()) await this.#windows.load(id);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#planner.stop();
    await Promise.allSettled([this.#advance, this.#reviewSoon.stop()]);
  }

  /** The enabled channels, in the order of their numbers. */
  lineup(): readonly LineupChannel[] {
    return this.#channels.lineup;
  }

  /** Any channel, enabled or not, by its id or number. */
  channel(idOrNumber: string): LineupChannel | undefined {
    return this.#channels.find(idOrNumber)?.channel.lineup;
  }

  /** The formats that enabled channels send in. */
  profilesInUse(): ProfileSpec[] {
    return [...new Map(this.lineup().map(({ profile }) => [profile.id, profile.spec])).values()];
  }

  itemAt(channelId: string, at: EpochMs): TimelineItem | undefined {
    return itemAt(this.#windows.items(channelId), at)?.item;
  }

  /** What is on, for how long it has been, and what is next. */
  now(
    channelId: string,
    at: EpochMs = this.#now(),
  ): { item: TimelineItem; offsetMs: number; next: TimelineItem | undefined } | undefined {
    const items = this.#windows.items(channelId);
    const found = itemAt(items, at);
    return found && { item: found.item, offsetMs: found.offsetMs, next: items[found.index + 1] };
  }

  /** What is on and what comes in the next hours. */
  window(channelId: string): readonly TimelineItem[] {
    return this.#windows.items(channelId);
  }

  /** One page of the stored timeline, and how many items there are between the two instants. */
  async playout(
    channelId: string,
    from: EpochMs,
    to: EpochMs,
    page: { limit: number; offset?: number | undefined },
  ): Promise<{ items: TimelineItem[]; total: number }> {
    const { db } = this.#deps;
    const { items, total } = await listPlayout(db, channelId, { from, to, ...page });
    const media = await timelineMedia(db, [...new Set(items.flatMap(({ mediaId }) => mediaId ?? []))]);
    return { items: items.map((row) => timelineItem(row, media.get(row.mediaId ?? ''))), total };
  }

  status(channelId: string): PlayoutStatus {
    const state = this.#channels.get(channelId);
    return {
      status: state?.status ?? 'planning',
      horizonEndsAt: state?.horizonEndsAt,
      problems: state?.problems ?? [],
    };
  }

  /** Channels are on their way to their first timelines. */
  get isBeginning(): boolean {
    return this.#channels.all().some(({ status, tried, waits }) => status === 'planning' && !tried && !waits);
  }

  /** Tells of channels whose timeline or description has changed. Returns a function that ends it. */
  subscribe(listener: (channelId: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Plans what is not frozen anew, or, from `now`, all that comes after the item on air. What comes out as it
   * was is not touched. Throws NotFoundError; when planning fails, nothing has changed.
   */
  async rebuild(channelId: string, options: { from?: 'now' } = {}): Promise<PlanChannelResult> {
    const replace = options.from === 'now' ? 'after-current' : 'beyond-freeze';
    const result = await this.#planner.plan(channelId, { replace });
    if (result !== undefined) return result;
    throw new NotFoundError('There is no such channel.', { operation: 'rebuilding a timeline' });
  }

  /** What a channel would air by another schedule. Changes nothing. Throws NotFoundError. */
  async preview(
    channelId: string,
    request: Omit<PreviewRequest, 'channelId' | 'now' | 'freezeMs' | 'edition'>,
  ): Promise<Preview> {
    const moment = { now: this.#now(), edition: this.#planner.edition, freezeMs: this.#deps.config.freezeMs };
    const preview = await this.#deps.preview?.({ ...request, ...moment, channelId });
    if (preview !== undefined) return preview;
    throw new NotFoundError('There is no such channel.', { operation: 'previewing a schedule' });
  }

  /** Why something is on at an instant, by default now. Throws NotFoundError. */
  async explain(channelId: string, at?: EpochMs): Promise<Explanation | { nothing: string }> {
    const now = this.#now();
    const { problems } = this.status(channelId);
    const { freezeMs } = this.#deps.config;
    const request = { channelId, at: at ?? now, now, freezeMs, problems };
    const explanation = await explain(this.#deps.db, request);
    if (explanation !== undefined) return explanation;
    throw new NotFoundError('There is no such channel.', { operation: 'explaining a timeline' });
  }

  /**
   * Makes all timelines as long as they have to be, replaces what is not frozen where media or collections have
   * changed, and forgets the distant past. To be run every `extendEveryMs`. A channel that cannot be planned does
   * not keep the others from it; it is named at the end, by an error.
   */
  async extendAll(signal?: AbortSignal): Promise<ExtendResult> {
    const total = { channels: this.#channels.size, planned: 0, added: 0, removed: 0, forgotten: 0 };
    const failed: string[] = [];
    const needed = await this.#readExtents();
    await forEach(this.#channels.all(), async (state) => {
      if (this.#stopped || signal?.aborted || state.waits) return;
      const { id, number } = state.channel.lineup;
      const isDue = this.#planner.isDue(state);
      if (!needed.has(id) && state.checked && !isDue) return;
      try {
        const result = await this.#planner.plan(id, isDue ? compared : {});
        total.planned++;
        total.added += result?.added ?? 0;
        total.removed += result?.removed ?? 0;
      } catch (error) {
        failed.push(number);
        this.#deps.log.error({ err: error, channel: number }, 'planning failed');
      }
    });
    total.forgotten = await this.#forgetPast(signal);
    if (failed.length === 0) return total;
    throw new AircheckError(`Channel ${failed.join(', ')} could not be planned.`, {
      operation: 'extending the timelines',
    });
  }

  /**
   * A channel has been made, changed or deleted. When it returns, this is known here and, if planning went
   * well, in the timeline. A changed schedule begins beyond the freeze horizon or, from `now`, after the item on air.
   */
  async channelChanged(channelId: string, options: { from?: 'now' | undefined } = {}): Promise<void> {
    const [channel] = await fullChannels(this.#deps.db, channelId);
    if (channel === undefined) {
      this.#windows.remove(channelId);
      if (this.#channels.remove(channelId)) this.#emit(channelId);
      return;
    }
    const old = this.#channels.get(channelId)?.channel;
    this.#channels.set(channel);
    const how = options.from === 'now' ? ({ replace: 'after-current' } as const) : compared;
    if (how !== compared || old === undefined || planKey(old) !== planKey(channel)) {
      await this.#planner.tryPlan(channelId, how);
    }
    this.#emit(channelId);
  }

  /**
   * Many channels have been made or changed. When it returns, this is known here; soon they are planned.
   *
   * @param scanned until when what they play is not complete: so long those without a timeline are not planned,
   * but no longer than ten minutes
   */
  async channelsChanged(channelIds: readonly string[], scanned?: Promise<unknown>): Promise<void> {
    const wanted = new Set(channelIds);
    const changed = (await fullChannels(this.#deps.db)).filter(({ lineup }) => wanted.has(lineup.id));
    const fresh = changed.filter(({ lineup }) => this.#channels.get(lineup.id) === undefined);
    this.#channels.set(...changed);
    for (const { lineup } of changed) {
      const state = this.#channels.get(lineup.id);
      if (state !== undefined) state.edition = undefined;
    }
    if (scanned !== undefined) {
      this.#letWait(
        fresh.map(({ lineup }) => lineup.id),
        scanned,
      );
    }
    for (const { lineup } of changed) {
      await this.#windows.load(lineup.id);
      this.#emit(lineup.id);
    }
    this.mediaChanged();
  }

  /** Media or collections have changed: soon the timelines are looked at, and replaced where not frozen. */
  mediaChanged(): void {
    this.#planner.outdate();
    this.#reviewSoon.ask();
  }

  /** The loudness of a media is known now, and counts from its next airing on. */
  mediaMeasured(mediaId: string, loudness: Loudness): void {
    this.#windows.measured(mediaId, loudness);
  }

  /** Reads on where the near timelines run short. To be run often; until it succeeds, the old ones go on. */
  advance(): Promise<void> {
    this.#advance ??= this.#windows.advance(this.#channels.ids()).finally(() => {
      this.#advance = undefined;
    });
    return this.#advance;
  }

  #letWait(channelIds: readonly string[], scanned: Promise<unknown>): void {
    const states = channelIds.flatMap((id) => this.#channels.get(id) ?? []);
    for (const state of states) state.waits = true;
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise((done) => {
      timer = setTimeout(done, longestWaitMs).unref();
    });
    const over = () => {
      clearTimeout(timer);
      for (const state of states) state.waits = false;
      this.mediaChanged();
    };
    void Promise.race([scanned, tooLong]).then(over, over);
  }

  /** Learns how far the stored timelines reach, and says which of them are too short. */
  async #readExtents(): Promise<Set<string>> {
    const now = this.#now();
    const least = now + this.#planner.leastMs;
    const extents = await channelExtents(this.#deps.db, now);
    const needed = new Set<string>();
    for (const state of this.#channels.all()) {
      const { id } = state.channel.lineup;
      const extent = extents.get(id);
      if (extent?.endsAt === undefined || !extent.coversNow) {
        needed.add(id);
        continue;
      }
      if (extent.endsAt < least) needed.add(id);
      state.horizonEndsAt = extent.endsAt;
      state.status = (extent.contentEndsAt ?? 0) > now ? 'ok' : 'no_content';
    }
    return needed;
  }

  /** In batches, between which others have their turn at the database. */
  async #forgetPast(signal: AbortSignal | undefined): Promise<number> {
    const before = this.#now() - this.#deps.config.keepPastHours * hourMs;
    for (let total = 0; ; ) {
      const deleted = await deletePast(this.#deps.db, before, pastBatch);
      total += deleted;
      if (deleted === pastBatch && !signal?.aborted) continue;
      if (total > 0) await deletePastCheckpoints(this.#deps.db, before);
      return total;
    }
  }

  async #review(): Promise<void> {
    await forEach(this.#channels.all(), async (state) => {
      if (this.#stopped || state.waits) return;
      const { id } = state.channel.lineup;
      if (this.#planner.isDue(state)) await this.#planner.tryPlan(id, compared);
      await this.#readAgain(id);
    });
  }

  /** Media may have been moved or probed again without a change of the timeline. */
  async #readAgain(channelId: string): Promise<void> {
    try {
      if (await this.#windows.load(channelId, 'fresh')) this.#emit(channelId);
    } catch (error) {
      this.#deps.log.warn({ err: error }, 'a near timeline could not be read; the old one goes on');
    }
  }

  async #timelineChanged(channelId: string): Promise<void> {
    await this.#windows.load(channelId);
    this.#emit(channelId);
  }

  #emit(channelId: string): void {
    for (const listener of this.#listeners) {
      try {
        listener(channelId);
      } catch (error) {
        this.#deps.log.error({ err: error }, 'a listener of the timelines failed');
      }
    }
  }
}

/** So many channels are planned at a time: one while another is being stored. */
const plansAtOnce = 2;

async function forEach<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const queue = new PQueue({ concurrency: plansAtOnce });
  await queue.addAll(all.map((one) => () => work(one)));
}

/** What a channel's timeline depends on. */
function planKey({ lineup, seed, schedule }: FullChannel): string {
  return JSON.stringify([lineup.zone, seed, schedule]);
}
