import { addAbortListener } from 'node:events';
import { ExponentialBackoff, halfJitterGenerator, handleWhen, retry } from 'cockatiel';

export interface RetryOptions {
  /** Whether another try may help, and does no harm. */
  isTransient(error: unknown): boolean;
  /** No further try begins when so long has passed since the first one. */
  withinMs: number;
  /** Ends the waiting between two tries. */
  signal: AbortSignal;
  onRetry?(error: unknown, delayMs: number): void;
  /** A transient error is thrown after all. */
  onGiveUp?(error: unknown, tries: number): void;
}

const maxRetries = 3;

/** 1 to 2 s, 2 to 4 s, 4 to 8 s: half of each is chance, so that callers do not come back together. */
const backoff = new ExponentialBackoff({
  initialDelay: 2_000,
  maxDelay: 10_000,
  generator: halfJitterGenerator,
});

/** Tries `work` up to three times more, with growing pauses, as long as what it throws is transient. */
export async function withRetries<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { isTransient, withinMs, signal, onRetry, onGiveUp } = options;
  const since = performance.now();
  let tries = 0;
  /** What the last try threw, while the next one is waited for. */
  let pause: { error: unknown } | undefined;
  const mayRetry = (error: unknown) =>
    isTransient(error) && !signal.aborted && performance.now() - since <= withinMs;
  const policy = retry(handleWhen(mayRetry), { maxAttempts: maxRetries, backoff });
  const attempt = async () => {
    // The policy cannot cut its pauses short: who called has been told already.
    if (pause !== undefined && signal.aborted) throw pause.error;
    pause = undefined;
    tries++;
    return await work();
  };
  let listener: Disposable | undefined;
  const interrupted = new Promise<never>((_, reject) => {
    policy.onRetry((reason) => {
      pause = { error: 'error' in reason ? reason.error : undefined };
      onRetry?.(pause.error, reason.delay);
      listener ??= addAbortListener(signal, () => {
        if (pause !== undefined) reject(pause.error);
      });
    });
  });
  try {
    return await Promise.race([policy.execute(attempt), interrupted]);
  } catch (error) {
    if (isTransient(error)) onGiveUp?.(error, tries);
    throw error;
  } finally {
    listener?.[Symbol.dispose]();
  }
}
