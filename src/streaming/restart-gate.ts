import { performance } from 'node:perf_hooks';
import type { Config } from '../config.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import type { BreakerState, RestartCause, RestartRefusal, StreamingObserver } from './observer.ts';
import type { Trouble } from './trouble.ts';

export type GateSettings = Pick<
  Config['streaming'],
  'breakerFailures' | 'breakerWindowMs' | 'breakerOpenMs' | 'restartsPerMinute' | 'restartDistanceMs'
>;

/** What the gate says: go, as what; or not before so many milliseconds, and why. */
export type GateAnswer =
  | { granted: true; cause: RestartCause | 'item' }
  | { granted: false; reason: RestartRefusal; waitMs: number };

const minuteMs = 60_000;

/**
 * The one gate through which every start of an encoder goes that is not simply the next item's: so that what
 * keeps failing is tried seldom, whoever asks for it.
 *
 * - a channel whose items fail one after the other is locked out by its breaker, but for one trial at a time;
 * - new tries, trials and restarts by the health task are throttled over all channels together;
 * - restarts by the health task keep a distance within a channel.
 *
 * What a channel has been through is kept when it goes off the air, so that tuning again changes nothing.
 */
export class RestartGate {
  private readonly channels = new Map<string, ChannelGate>();
  private readonly restartedAt: number[] = [];
  private readonly now: () => number;
  private readonly random: () => number;

  constructor(
    private readonly deps: {
      settings: GateSettings;
      observer: StreamingObserver;
      /** Monotonic milliseconds. */
      now?: () => number;
      /** From 0 to 1. */
      random?: () => number;
    },
  ) {
    this.now = deps.now ?? (() => performance.now());
    this.random = deps.random ?? Math.random;
  }

  channel(id: string, number: string): ChannelGate {
    const known = this.channels.get(id);
    if (known !== undefined) return known;
    const gate = new ChannelGate(number, {
      settings: this.deps.settings,
      observer: this.deps.observer,
      throttle: () => this.throttle(),
      now: this.now,
      random: this.random,
    });
    this.channels.set(id, gate);
    return gate;
  }

  /** Forgets the channels that have nothing to be remembered for. */
  tidy(): void {
    for (const [id, gate] of this.channels) if (gate.isRested) this.channels.delete(id);
  }

  /** How long the next restart of any channel has to wait; taken at once when that is 0. */
  private throttle(): number {
    const now = this.now();
    while (this.restartedAt[0] !== undefined && now - this.restartedAt[0] >= minuteMs)
      this.restartedAt.shift();
    const { restartsPerMinute } = this.deps.settings;
    const [oldest] = this.restartedAt;
    if (oldest !== undefined && this.restartedAt.length >= restartsPerMinute) return oldest + minuteMs - now;
    this.restartedAt.push(now);
    return 0;
  }
}

/** One channel's side of the gate. */
export class ChannelGate {
  private readonly breaker: CircuitBreaker;
  private healthRestartAt = Number.NEGATIVE_INFINITY;
  /** How often an encoder was started again, for whatever cause. */
  restarts = 0;
  /** How the last encoder failed that did. */
  lastTrouble: Trouble | undefined;

  constructor(
    number: string,
    private readonly deps: {
      settings: GateSettings;
      observer: StreamingObserver;
      throttle: () => number;
      now: () => number;
      random: () => number;
    },
  ) {
    const { breakerFailures, breakerWindowMs, breakerOpenMs } = deps.settings;
    this.breaker = new CircuitBreaker(
      { failures: breakerFailures, windowMs: breakerWindowMs, openMs: breakerOpenMs },
      deps.now,
      (state) => deps.observer.breakerChanged(number, state),
    );
  }

  get state(): BreakerState {
    return this.breaker.state;
  }

  get isRested(): boolean {
    return (
      this.breaker.isRested && this.deps.now() - this.healthRestartAt > this.deps.settings.restartDistanceMs
    );
  }

  /** May an encoder be started? Who gets a trial must tell its end. */
  ask(cause: Exclude<RestartCause, 'trial' | 'health'> | 'item'): GateAnswer {
    const { breaker } = this;
    if (breaker.state !== 'closed' && !breaker.trialIsDue) {
      // Half open, there is no saying when the trial ends: it is asked again soon.
      return this.refuse('breaker-open', breaker.state === 'open' ? breaker.waitMs : 1_000);
    }
    const granted = breaker.trialIsDue ? 'trial' : cause;
    if (granted === 'trial' || granted === 'retry') {
      const waitMs = this.deps.throttle();
      if (waitMs > 0) return this.refuse('throttled', waitMs);
    }
    if (granted === 'trial') breaker.beginTrial();
    if (granted !== 'item') this.count(granted);
    return { granted: true, cause: granted };
  }

  /** May the whole channel be started anew? */
  askForHealth(): GateAnswer {
    const distance = this.healthRestartAt + this.deps.settings.restartDistanceMs - this.deps.now();
    if (distance > 0) return this.refuse('too-soon', distance);
    if (this.breaker.state === 'open') return this.refuse('breaker-open', this.breaker.waitMs);
    const waitMs = this.deps.throttle();
    if (waitMs > 0) return this.refuse('throttled', waitMs);
    this.healthRestartAt = this.deps.now();
    this.count('health');
    return { granted: true, cause: 'health' };
  }

  /** An encoder has worked for a while, or to the end of its item. */
  worked(): void {
    this.breaker.succeeded();
  }

  /** An encoder that had not worked for long has failed. */
  failed(trouble: Trouble): void {
    this.lastTrouble = trouble;
    this.breaker.failed();
  }

  /** The one that had the trial is not needed any more. */
  trialGivenUp(): void {
    this.breaker.trialGivenUp();
  }

  /** A wait of about so long: what failed together should not come again together. */
  jittered(ms: number): number {
    return ms * (0.8 + 0.4 * this.deps.random());
  }

  private count(cause: RestartCause): void {
    this.restarts++;
    this.deps.observer.restarted(cause);
  }

  private refuse(reason: RestartRefusal, waitMs: number): GateAnswer {
    this.deps.observer.restartRefused(reason);
    return { granted: false, reason, waitMs };
  }
}
