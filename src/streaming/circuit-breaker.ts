import type { BreakerState } from './observer.ts';

export interface BreakerLimits {
  /** So many failures … */
  failures: number;
  /** … within this time open the breaker … */
  windowMs: number;
  /** … for this long. */
  openMs: number;
}

/**
 * Counts failures and, after too many of them, lets nothing through for a while; then exactly one trial,
 * whose result decides. It is told what has happened instead of wrapping a call, because an attempt here
 * lasts for as long as an item is on the air.
 */
export class CircuitBreaker {
  private current: BreakerState = 'closed';
  private failedAt: number[] = [];
  private openUntil = 0;

  constructor(
    private readonly limits: BreakerLimits,
    /** Monotonic milliseconds. */
    private readonly now: () => number,
    private readonly onChange: (state: BreakerState) => void = () => {},
  ) {}

  get state(): BreakerState {
    return this.current;
  }

  /** In how many milliseconds a trial may be had; 0 when nothing stands in the way. */
  get waitMs(): number {
    if (this.current === 'closed') return 0;
    return Math.max(0, this.openUntil - this.now());
  }

  /** Has neither been open nor seen a failure for a while: it can be forgotten. */
  get isRested(): boolean {
    this.forgetOld();
    return this.current === 'closed' && this.failedAt.length === 0;
  }

  /** The one trial is to be had. */
  get trialIsDue(): boolean {
    return this.current === 'open' && this.waitMs === 0;
  }

  /** Takes the trial. It ends by `succeeded`, `failed` or `trialGivenUp`. */
  beginTrial(): void {
    this.change('half-open');
  }

  succeeded(): void {
    if (this.current !== 'half-open') return;
    this.failedAt = [];
    this.change('closed');
  }

  failed(): void {
    if (this.current === 'open') return;
    this.failedAt.push(this.now());
    this.forgetOld();
    if (this.current === 'half-open' || this.failedAt.length >= this.limits.failures) this.open();
  }

  /** The trial ended without an answer: the next one may be had at once. */
  trialGivenUp(): void {
    if (this.current === 'half-open') this.change('open');
  }

  private open(): void {
    this.openUntil = this.now() + this.limits.openMs;
    this.change('open');
  }

  private forgetOld(): void {
    const oldest = this.now() - this.limits.windowMs;
    this.failedAt = this.failedAt.filter((at) => at > oldest);
  }

  private change(state: BreakerState): void {
    this.current = state;
    this.onChange(state);
  }
}
