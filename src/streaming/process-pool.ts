import { EventEmitter, once } from 'node:events';
import type { Logger } from 'pino';
import { UnavailableError } from '../errors.ts';
import { EncoderProcess, type ExitReason } from './encoder-process.ts';
import type { SpawnRefusal, StreamingObserver } from './observer.ts';
import type { TokenBucket } from './token-bucket.ts';

/** No encoder may be started now; the message says why and what to do about it. */
export class SpawnRefusedError extends UnavailableError {
  override readonly name = 'SpawnRefusedError';

  constructor(
    message: string,
    readonly reason: SpawnRefusal,
    options: { operation: string; retryAfterSeconds?: number },
  ) {
    super(message, options);
  }
}

/** The right to run one encoder. It is given back by `release`, or by the end of the process that it ran. */
export interface Lease {
  /** Waits for its turn and starts the process. Rejects with the signal's reason, or SpawnRefusedError. */
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
      observer: StreamingObserver;
      /** Says why nothing should be started now, if so. */
      guard: () => { reason: SpawnRefusal; message: string } | undefined;
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

  /** Takes a slot at once, or throws SpawnRefusedError. */
  admit(label: string): Lease {
    if (this.closed) throw this.refuse(label, 'stopping', 'The server is stopping.');
    if (this.leases.size >= this.deps.max) {
      throw this.refuse(
        label,
        'pool-full',
        `All ${this.deps.max} encoders are in use. Try again when a channel has been left, or raise streaming.maxProcesses.`,
      );
    }
    const guarded = this.deps.guard();
    if (guarded !== undefined) throw this.refuse(label, guarded.reason, guarded.message);
    const lease = new PoolLease(label, {
      start: (args, signal) => this.start(args, signal),
      done: () => {
        if (this.leases.delete(lease)) this.freed.emit('slot');
      },
      log: this.deps.log,
      observer: this.deps.observer,
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

  private refuse(operation: string, reason: SpawnRefusal, message: string): SpawnRefusedError {
    this.refusals++;
    this.deps.observer.spawnRefused(reason);
    return new SpawnRefusedError(message, reason, { operation, retryAfterSeconds: 10 });
  }

  private async start(args: readonly string[], signal: AbortSignal): Promise<EncoderProcess> {
    await this.deps.bucket.take(signal);
    signal.throwIfAborted();
    if (this.closed) throw this.refuse('starting ffmpeg', 'stopping', 'The server is stopping.');
    this.spawns++;
    this.deps.observer.encoderSpawned();
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
      observer: StreamingObserver;
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
    this.waiting?.abort(new SpawnRefusedError('No longer needed.', 'stopping', { operation: this.label }));
    // The slot is free when the process is gone, not when we wish it were.
    if (this.process !== undefined && this.process.exit === undefined) this.process.kill();
    else if (this.waiting === undefined || this.process !== undefined) this.giveBack();
  }

  private ended(process: EncoderProcess, reason: ExitReason): void {
    this.giveBack();
    this.pool.observer.encoderEnded(this.released ? 'released' : reason.kind);
    const fields = { pid: process.pid, operation: this.label, reason };
    if (this.released || reason.kind === 'finished') this.pool.log.debug(fields, 'the encoder has ended');
    else if (reason.kind === 'killed') this.pool.log.info(fields, 'the encoder was killed from outside');
    else this.pool.log.warn(fields, 'the encoder failed');
  }

  private giveBack(): void {
    this.pool.done();
  }
}
