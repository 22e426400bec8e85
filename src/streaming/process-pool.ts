import { EventEmitter, once } from 'node:events';
import type { Logger } from 'pino';
import { UnavailableError } from '../errors.ts';
import { EncoderProcess, type ExitReason } from './encoder-process.ts';
import type { TokenBucket } from './token-bucket.ts';

/** All encoders that may run are running. */
export class PoolFullError extends UnavailableError {
  override readonly name = 'PoolFullError';
}

/** The server is stopping. */
export class PoolClosedError extends UnavailableError {
  override readonly name = 'PoolClosedError';
}

/** The right to run one encoder. It is given back by `release`, or by the end of the process that it ran. */
export interface Lease {
  /** Waits for its turn and starts the process. Rejects with the signal's reason, or PoolClosedError. */
  spawn(args: readonly string[], signal: AbortSignal): Promise<EncoderProcess>;
  /** Ends the process, if there is one, and gives the slot back. May be called twice. */
  release(): void;
}

/** Hands out encoder processes: at most `max` at a time, started no faster than the bucket allows. */
export class ProcessPoolManager {
  private readonly leases = new Set<PoolLease>();
  /** As many may wait for a slot as there are tunes. */
  private readonly freed = new EventEmitter().setMaxListeners(0);
  private closed = false;
  spawns = 0;
  refusals = 0;

  constructor(
    private readonly deps: {
      bucket: TokenBucket;
      log: Logger;
      max: number;
      ffmpegPath: string;
      niceness: number;
      owner: string;
    },
  ) {}

  get max(): number {
    return this.deps.max;
  }

  /** Slots taken, by running processes and by those that wait for their turn. */
  get used(): number {
    return this.leases.size;
  }

  get pids(): number[] {
    return [...this.leases].flatMap((lease) => lease.process?.pid ?? []);
  }

  /** Takes a slot at once, or throws PoolFullError. */
  admit(label: string): Lease {
    if (this.closed) throw new PoolClosedError('The server is stopping.', { operation: label });
    if (this.leases.size >= this.deps.max) {
      this.refusals++;
      throw new PoolFullError(
        `All ${this.deps.max} encoders are in use. Try again when a channel has been left, or raise streaming.maxProcesses.`,
        { operation: label, retryAfterSeconds: 10 },
      );
    }
    const lease = new PoolLease(label, {
      start: (args, signal) => this.start(args, signal),
      done: () => {
        if (this.leases.delete(lease)) this.freed.emit('slot');
      },
      log: this.deps.log,
    });
    this.leases.add(lease);
    return lease;
  }

  /** Resolves when a slot is given back. Rejects with the signal's reason. */
  async slotFreed(signal: AbortSignal): Promise<void> {
    await once(this.freed, 'slot', { signal });
  }

  /** Kills what runs, without waiting for anything. */
  killAll(): void {
    for (const lease of [...this.leases]) lease.release();
  }

  /** Kills what runs and waits for it to be gone. */
  async stop(): Promise<void> {
    this.closed = true;
    const leases = [...this.leases];
    for (const lease of leases) lease.release();
    await Promise.all(leases.map((lease) => lease.process?.exited));
    this.deps.bucket.stop();
  }

  private async start(args: readonly string[], signal: AbortSignal): Promise<EncoderProcess> {
    await this.deps.bucket.take(signal);
    signal.throwIfAborted();
    if (this.closed) throw new PoolClosedError('The server is stopping.', { operation: 'starting ffmpeg' });
    this.spawns++;
    return new EncoderProcess({
      file: this.deps.ffmpegPath,
      args,
      niceness: this.deps.niceness,
      owner: this.deps.owner,
    });
  }
}

class PoolLease implements Lease {
  process: EncoderProcess | undefined;
  private released = false;
  private waiting: AbortController | undefined;

  constructor(
    private readonly label: string,
    private readonly pool: {
      start: (args: readonly string[], signal: AbortSignal) => Promise<EncoderProcess>;
      done: () => void;
      log: Logger;
    },
  ) {}

  async spawn(args: readonly string[], signal: AbortSignal): Promise<EncoderProcess> {
    this.waiting = new AbortController();
    try {
      const started = await this.pool.start(args, AbortSignal.any([signal, this.waiting.signal]));
      this.process = started;
      void started.exited.then((reason) => this.ended(started, reason));
      if (this.released) started.kill();
      return started;
    } catch (error) {
      this.giveBack();
      throw error;
    }
  }

  release(): void {
    if (this.released) return;
    this.released = true;
    this.waiting?.abort(new PoolClosedError('No longer needed.', { operation: this.label }));
    // The slot is free when the process is gone, not when we wish it were.
    if (this.process !== undefined && this.process.exit === undefined) this.process.kill();
    else if (this.waiting === undefined || this.process !== undefined) this.giveBack();
  }

  private ended(process: EncoderProcess, reason: ExitReason): void {
    this.giveBack();
    const fields = { pid: process.pid, operation: this.label, reason };
    if (this.released || reason.kind === 'finished') this.pool.log.debug(fields, 'the encoder has ended');
    else if (reason.kind === 'killed') this.pool.log.info(fields, 'the encoder was killed from outside');
    else this.pool.log.warn(fields, 'the encoder failed');
  }

  private giveBack(): void {
    this.pool.done();
  }
}
