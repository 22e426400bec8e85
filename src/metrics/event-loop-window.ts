import { type EventLoopDelay, EventLoopMonitor } from '../event-loop.ts';

const windowMs = 30_000;

/**
 * How late this thread came to its work during the last half minute at least and minute at most. Reading it
 * changes nothing, so that any number of readers see the same, and none misses what was between two looks.
 */
export class EventLoopWindow {
  #older = new EventLoopMonitor();
  #newer = new EventLoopMonitor();
  #timer: NodeJS.Timeout | undefined;

  start(): void {
    this.#older.start();
    this.#newer.start();
    this.#timer ??= setInterval(() => this.#turn(), windowMs).unref();
  }

  read(): EventLoopDelay {
    return this.#older.peek();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#older.stop();
    this.#newer.stop();
  }

  #turn(): void {
    [this.#older, this.#newer] = [this.#newer, this.#older];
    this.#newer.reset();
  }
}
