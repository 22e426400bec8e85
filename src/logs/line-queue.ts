/** Where lines end up. It gets one write at a time. */
export interface LineSink {
  /**
   * Writes whole lines. Never rejects: with an error, what is behind the first `taken` bytes is to be given again.
   */
  write(lines: Buffer): Promise<{ taken: number; error?: Error }>;
  /** At once, for the end of the process: first what a write in flight may leave undone, then these. */
  writeSync(lines: Buffer): void;
}

interface Options {
  /** How many characters may wait. What comes when there is no room is lost, and counted. */
  maxLength: number;
  /** How long after a failure the next attempt is made. */
  retryMs: number;
  /** The sink fails or does not keep up. Called once, until it is well again. */
  onTrouble?: (error: Error) => void;
  /** All that had waited is written. `lost` lines were not. */
  onRecovery?: (lost: number) => void;
}

/** So much is written at once. */
const batchLength = 256 * 1_024;

/**
 * Takes lines without ever making the caller wait, and writes them in batches. A sink that fails is tried again;
 * meanwhile as much is held as there is room for.
 *
 * This and the sinks are here in the place of sonic-boom, on which pino's own destinations and pino-roll are built:
 * its flushSync(), which pino calls for a fatal entry and at the exit, tries for ever when the disk is full.
 */
export class LineQueue {
  /** Lines that found no room. */
  lost = 0;
  /** Writes that failed. */
  failures = 0;
  private held: string[] = [];
  private heldLength = 0;
  /** What has to be given to the sink again, before anything else. */
  private rest: Buffer | undefined;
  private isWriting = false;
  private retry: NodeJS.Timeout | undefined;
  private isInTrouble = false;
  private lostBefore = 0;
  private waiting: (() => void)[] = [];

  constructor(
    private readonly sink: LineSink,
    private readonly options: Options,
  ) {}

  /** Whether everything is being written. */
  get isWell(): boolean {
    return !this.isInTrouble;
  }

  write(line: string): void {
    if (this.heldLength + line.length > this.options.maxLength) {
      this.lost += 1;
      this.trouble(new Error('it takes the entries more slowly than they come'));
      return;
    }
    this.held.push(line);
    this.heldLength += line.length;
    this.wake();
  }

  /** Resolves when everything that is there now is written; also when that fails. */
  flush(): Promise<void> {
    if (!this.isWriting) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Writes what is left in one attempt, and waits for it. For the end of the process. */
  flushSync(): void {
    const lines = Buffer.from(this.held.join(''));
    try {
      this.sink.writeSync(this.rest === undefined ? lines : Buffer.concat([this.rest, lines]));
      this.discard();
    } catch {
      this.failures += 1;
    }
  }

  /** Forgets what has not been written. */
  discard(): void {
    this.rest = undefined;
    this.held = [];
    this.heldLength = 0;
  }

  private wake(): void {
    if (this.isWriting || this.retry !== undefined) return;
    this.isWriting = true;
    // What is logged in the same turn goes along.
    setImmediate(() => void this.drain());
  }

  private async drain(): Promise<void> {
    for (let batch = this.next(); batch !== undefined; batch = this.next()) {
      const { taken, error } = await this.sink.write(batch);
      if (error !== undefined) {
        this.rest = taken < batch.length ? batch.subarray(taken) : undefined;
        this.fail(error);
        break;
      }
    }
    this.isWriting = false;
    if (this.retry === undefined) this.recover();
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  private next(): Buffer | undefined {
    const { rest } = this;
    this.rest = undefined;
    if (rest !== undefined) return rest;
    if (this.held.length === 0) return undefined;
    let length = 0;
    let count = 0;
    while (count < this.held.length && length < batchLength) length += this.held[count++]!.length;
    this.heldLength -= length;
    return Buffer.from(this.held.splice(0, count).join(''));
  }

  private fail(error: Error): void {
    this.failures += 1;
    this.retry = setTimeout(() => {
      this.retry = undefined;
      if (this.rest !== undefined || this.held.length > 0) this.wake();
      else this.recover();
    }, this.options.retryMs);
    this.retry.unref();
    this.trouble(error);
  }

  private trouble(error: Error): void {
    if (this.isInTrouble) return;
    this.isInTrouble = true;
    this.options.onTrouble?.(error);
  }

  private recover(): void {
    if (!this.isInTrouble) return;
    this.isInTrouble = false;
    const lost = this.lost - this.lostBefore;
    this.lostBefore = this.lost;
    this.options.onRecovery?.(lost);
  }
}
