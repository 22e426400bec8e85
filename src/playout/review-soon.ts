/**
 * Runs a review a moment after it was asked for, so that changes which come together are looked at together. It
 * waits as long as the last one took, so that a long scan does not keep the worker busy. What is asked for while one
 * runs makes another one follow.
 */
export class ReviewSoon {
  readonly #review: () => Promise<void>;
  readonly #settleMs: number;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #askedAgain = false;
  #lastMs = 0;
  #stopped = false;

  /** @param review must not reject */
  constructor(review: () => Promise<void>, settleMs: number) {
    this.#review = review;
    this.#settleMs = settleMs;
  }

  ask(): void {
    if (this.#running !== undefined) this.#askedAgain = true;
    else if (this.#timer === undefined) this.#soon();
  }

  /** Waits for the one that runs; none follows. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #soon(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#running = this.#run().finally(() => {
          this.#running = undefined;
          if (this.#askedAgain) this.#soon();
        });
      },
      Math.max(this.#settleMs, this.#lastMs),
    );
  }

  async #run(): Promise<void> {
    const startedAt = performance.now();
    this.#askedAgain = false;
    await this.#review();
    this.#lastMs = performance.now() - startedAt;
  }
}
