import { type AircheckError, UnavailableError } from '../errors.ts';

/** Work that can be given up from outside, and is when it takes too long. */
export class InTime {
  readonly #controller = new AbortController();

  /** Rejects with UnavailableError after so long, with what `giveUp` was told, or as the work does. */
  async run<T>(work: (signal: AbortSignal) => Promise<T>, timeoutMs: number, operation: string): Promise<T> {
    const { signal } = this.#controller;
    const givenUp = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    const timer = setTimeout(() => {
      this.giveUp(new UnavailableError(`It took longer than ${timeoutMs} ms.`, { operation }));
    }, timeoutMs);
    try {
      return await Promise.race([work(signal), givenUp]);
    } finally {
      clearTimeout(timer);
    }
  }

  giveUp(why: AircheckError): void {
    this.#controller.abort(why);
  }
}
