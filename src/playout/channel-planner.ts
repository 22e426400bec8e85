import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { EpochMs } from '../schedule/types.ts';
import type { ChannelState, ChannelStates } from './channel-states.ts';
import type { PlanChannelRequest, PlanChannelResult } from './plan-channel.ts';

export type PlanHow = Pick<PlanChannelRequest, 'replace' | 'unlessSame'>;

/** What is not frozen is replaced, unless it was planned from what there is now. */
export const compared = { replace: 'beyond-freeze', unlessSame: true } as const;

export interface ChannelPlannerDeps {
  log: Logger;
  config: Config['playout'];
  /** Plans in a worker thread; undefined when the channel is gone. */
  plan: (request: PlanChannelRequest) => Promise<PlanChannelResult | undefined>;
  now: () => EpochMs;
  channels: ChannelStates;
  /** A timeline has changed. */
  onChange: (channelId: string) => Promise<void>;
}

const hourMs = 3_600_000;
/** A timeline that gets shorter than the horizon is made so much longer than it, so that it is seldom done. */
const spareMs = 6 * hourMs;

/** Has timelines planned, one plan of a channel at a time, and notes in the channel's state what came of it. */
export class ChannelPlanner {
  readonly #deps: ChannelPlannerDeps;
  /** The last plan of each channel that has been begun or waits. */
  readonly #planning = new Map<string, Promise<unknown>>();
  #edition = 1;
  #stopped = false;

  constructor(deps: ChannelPlannerDeps) {
    this.#deps = deps;
  }

  /** From now on, what fails is no error: it is planned at the next start. */
  stop(): void {
    this.#stopped = true;
  }

  /** Of the media and collections: whenever they may have changed there is another one. */
  get edition(): number {
    return this.#edition;
  }

  /** Media or collections may have changed. */
  outdate(): void {
    this.#edition += 1;
  }

  /** Whether its timeline may have been planned from something else than there is now. */
  isDue({ edition, byTime }: ChannelState): boolean {
    return byTime || edition !== this.#edition;
  }

  /** How far ahead a timeline has to reach, so that it still does at the next look. */
  get leastMs(): number {
    const { horizonHours, extendEveryMs } = this.#deps.config;
    return horizonHours * hourMs + extendEveryMs;
  }

  /** Undefined when the channel is gone. Rejects when planning fails; then nothing has changed. */
  async plan(channelId: string, how: PlanHow = {}): Promise<PlanChannelResult | undefined> {
    try {
      return await this.#inTurn(channelId, () => this.#planNow(channelId, how));
    } finally {
      const state = this.#deps.channels.get(channelId);
      if (state !== undefined) state.tried = true;
    }
  }

  /** Never rejects: the extending task tries again what fails here. */
  async tryPlan(channelId: string, how: PlanHow = {}): Promise<void> {
    try {
      await this.plan(channelId, how);
    } catch (error) {
      const state = this.#deps.channels.get(channelId);
      if (state !== undefined) state.edition = undefined;
      const level = this.#stopped ? 'debug' : 'error';
      this.#deps.log[level]({ err: error, channel: state?.channel.lineup.number }, 'planning failed');
    }
  }

  async #planNow(channelId: string, how: PlanHow): Promise<PlanChannelResult | undefined> {
    const { log, plan, channels, config, onChange } = this.#deps;
    const now = this.#deps.now();
    const startedAt = performance.now();
    const enough = now + this.leastMs;
    const edition = this.#edition;
    const result = await plan({
      ...{ channelId, now, enough, until: enough + spareMs, edition },
      freezeMs: config.freezeMs,
      ...how,
    });
    if (result === undefined) return undefined;
    const state = channels.get(channelId);
    const { status, endsAt, problems, byTime, added, removed } = result;
    if (state !== undefined) {
      if (status === 'no_content' && state.status !== 'no_content') {
        log.warn({ channel: state.channel.lineup.number, problems }, 'the channel has nothing to show');
      }
      Object.assign(state, { status, horizonEndsAt: endsAt, problems, byTime, checked: true });
      if (how.replace !== undefined) state.edition = edition;
      const number = state.channel.lineup.number;
      const tookMs = Math.round(performance.now() - startedAt);
      log.debug({ channel: number, ...how, added, removed, status, tookMs }, 'channel planned');
      if (result.changed) await onChange(channelId);
    }
    return result;
  }

  /** One plan of a channel at a time: two would make each other outdated. */
  async #inTurn<T>(channelId: string, work: () => Promise<T>): Promise<T> {
    const before = this.#planning.get(channelId) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.#planning.set(channelId, mine);
    try {
      return await mine;
    } finally {
      if (this.#planning.get(channelId) === mine) this.#planning.delete(channelId);
    }
  }
}
