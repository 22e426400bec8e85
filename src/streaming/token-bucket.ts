import { performance } from 'node:perf_hooks';

interface Waiter {
  resolve: () => void;
}

/**
 * Lets `burst` through at once and then `ratePerSecond`, in order of arrival. A waiter whose signal aborts
 * leaves the queue and takes no token with it.
 */
export class TokenBucket {
  private tokens: number;
  private refilledAt: number;
  // A Set keeps the order of arrival and forgets a waiter in constant time.
  private readonly waiters = new Set<Waiter>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: { ratePerSecond: number; burst: number; now?: () => number }) {
    this.tokens = options.burst;
    this.refilledAt = this.now();
  }

  get waiting(): number {
    return this.waiters.size;
  }

  /** Resolves when it is this caller's turn. Rejects with the signal's reason. */
  take(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.waiters.delete(waiter);
        reject(signal?.reason);
      };
      const waiter: Waiter = {
        resolve: () => {
          signal?.removeEventListener('abort', leave);
          resolve();
        },
      };
      signal?.addEventListener('abort', leave, { once: true });
      this.waiters.add(waiter);
      this.serve();
    });
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private serve(): void {
    this.refill();
    for (const waiter of this.waiters) {
      if (this.tokens < 1) break;
      this.tokens -= 1;
      this.waiters.delete(waiter);
      waiter.resolve();
    }
    if (this.waiters.size === 0 || this.timer !== undefined) return;
    const waitMs = Math.ceil(((1 - this.tokens) / this.options.ratePerSecond) * 1000);
    this.timer = setTimeout(
      () => {
        this.timer = undefined;
        this.serve();
      },
      Math.max(1, waitMs),
    );
  }

  private refill(): void {
    const now = this.now();
    const gained = ((now - this.refilledAt) / 1000) * this.options.ratePerSecond;
    this.tokens = Math.min(this.options.burst, this.tokens + gained);
    this.refilledAt = now;
  }

  private now(): number {
    return this.options.now?.() ?? performance.now();
  }
}
