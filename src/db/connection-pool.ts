import { setTimeout as delay } from 'node:timers/promises';
import PQueue from 'p-queue';
import { DriverConnection, type Recipe } from './driver-connection.ts';
import { isCrowded, notConnected } from './faults.ts';
import type { Patience } from './patience.ts';

export interface PoolOptions {
  /** Where the database can be, in the order in which the places are tried. */
  places: readonly Recipe[];
  max: number;
  /** A connection that nobody has used for so long is closed. */
  idleMs: number;
  /** One that has been idle for longer than this is asked for a sign of life. */
  checkAfterMs: number;
  /** A new one waits for its turn, as a statement does. */
  greetsInTurn: boolean;
  /** One that is older is replaced, so that none outlives a change of the server's address. */
  lifetimeMs: number;
  /** Why there is no connection, if it is known better than the system tells. */
  explain?: (() => Error | undefined) | undefined;
  onUnreachable?(error: unknown): void;
}

/** When the server has no room for more connections, so long until one more is asked for. */
const crowdedMs = 30_000;
const crowdedPauseMs = 250;
const sweepEveryMs = 500;
const checkWithinMs = 3_000;
const stopWaitMs = 5_000;
/** In a hurry. */
const hurriedConnectMs = 1_000;
const hurriedAnswerMs = 3_000;

/**
 * Connections that are opened when they are needed, and are lent to one caller at a time, in order of arrival.
 * Where the server grants fewer than the pool would like, callers share those that it has.
 */
export class ConnectionPool {
  readonly #options: PoolOptions;
  readonly #turns: PQueue;
  readonly #open = new Set<DriverConnection>();
  readonly #idle: DriverConnection[] = [];
  #crowdedUntil = 0;
  #sweeping: NodeJS.Timeout | undefined;
  #hurried = false;
  /** In a hurry, and the database could not be reached: nobody waits for that once more. */
  #givenUp: unknown;
  #stopped: Promise<void> | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#turns = new PQueue({ concurrency: options.max });
  }

  /** Lends a connection. Throws SpoiltError when there is none, and whatever `work` throws. */
  async use<T>(patience: Patience, work: (connection: DriverConnection) => Promise<T>): Promise<T> {
    if (this.#crowdedUntil !== 0 && performance.now() > this.#crowdedUntil) this.#regain();
    for (let priority = 0; ; priority = 1) {
      const turn = await this.#turn(patience, priority, work);
      if (turn !== 'crowded') return turn.result;
    }
  }

  /** How long an answer may be waited for. */
  answerMs(patience: Patience): number {
    return this.#hurried ? Math.min(patience.answerMs, hurriedAnswerMs) : patience.answerMs;
  }

  /** Something went wrong that may have befallen the other connections too: those that are idle are closed. */
  distrust(): void {
    for (const connection of this.#idle.splice(0)) this.#discard(connection);
  }

  /** From now on, nobody waits for long. For a stop. */
  hurry(): void {
    this.#hurried = true;
    for (const connection of this.#open) connection.hurry(hurriedAnswerMs);
  }

  /** Lets what runs end, for five seconds at most. May be called twice and never throws. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((done) => {
      timer = setTimeout(done, stopWaitMs);
    });
    await Promise.race([this.#turns.onIdle(), late]);
    clearTimeout(timer);
    clearInterval(this.#sweeping);
    await Promise.all([...this.#open].map((connection) => connection.close()));
  }

  async #turn<T>(
    patience: Patience,
    priority: number,
    work: (connection: DriverConnection) => Promise<T>,
  ): Promise<{ result: T } | 'crowded'> {
    const serve = () => this.#serve(patience, work);
    const isFree = this.#turns.size === 0 && this.#turns.pending < this.#turns.concurrency;
    const waitMs = this.answerMs(patience);
    if (isFree || !Number.isFinite(waitMs)) return await this.#turns.add(serve, { priority });
    const leave = new AbortController();
    const timer = setTimeout(() => leave.abort(allInUse()), waitMs);
    const begin = () => {
      clearTimeout(timer);
      return serve();
    };
    return await this.#turns.add(begin, { priority, signal: leave.signal });
  }

  async #serve<T>(
    patience: Patience,
    work: (connection: DriverConnection) => Promise<T>,
  ): Promise<{ result: T } | 'crowded'> {
    let connection: DriverConnection;
    try {
      connection = await this.#take(patience);
    } catch (error) {
      if (isCrowded(error)) {
        if (this.#open.size === 0) throw notConnected(error);
        this.#makeDo();
        return 'crowded';
      }
      const reason = this.#options.explain?.() ?? error;
      this.#options.onUnreachable?.(reason);
      if (this.#hurried) this.#givenUp = reason;
      throw notConnected(reason);
    }
    try {
      return { result: await work(connection) };
    } finally {
      this.#giveBack(connection);
    }
  }

  async #take(patience: Patience): Promise<DriverConnection> {
    const connectMs = this.#connectMs(patience);
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (await this.#lives(idle, Math.min(checkWithinMs, connectMs))) return idle;
      this.#discard(idle);
    }
    if (this.#stopped !== undefined) throw stopped();
    if (this.#givenUp !== undefined) throw this.#givenUp;
    const connection = await this.#connect(connectMs);
    this.#open.add(connection);
    return connection;
  }

  #connectMs(patience: Patience): number {
    if (this.#options.greetsInTurn) return this.answerMs(patience);
    return this.#hurried ? hurriedConnectMs : patience.connectMs;
  }

  /** Where others have all the connections that there are, and we have none, it waits for one to become free. */
  async #connect(connectMs: number): Promise<DriverConnection> {
    const deadline = performance.now() + connectMs;
    for (;;) {
      try {
        return await this.#connectSomewhere(connectMs);
      } catch (error) {
        const leftMs = deadline - performance.now();
        if (!isCrowded(error) || this.#open.size > 0 || leftMs < crowdedPauseMs) throw error;
        await delay(crowdedPauseMs);
      }
    }
  }

  async #connectSomewhere(connectMs: number): Promise<DriverConnection> {
    let failure: unknown;
    for (const place of this.#options.places) {
      try {
        return await DriverConnection.open(place, connectMs);
      } catch (error) {
        failure ??= error;
      }
    }
    throw failure;
  }

  /** A connection can have died without a word: a statement should not be what finds out. */
  async #lives(connection: DriverConnection, deadlineMs: number): Promise<boolean> {
    if (connection.isLost) return false;
    if (performance.now() - connection.usedAt < this.#options.checkAfterMs) return true;
    try {
      await connection.run('select 1', [], { deadlineMs });
      return true;
    } catch {
      return false;
    }
  }

  #giveBack(connection: DriverConnection): void {
    const now = performance.now();
    const isOld = now - connection.openedAt > this.#options.lifetimeMs;
    if (connection.isLost || isOld) {
      this.#discard(connection);
      return;
    }
    connection.usedAt = now;
    this.#idle.push(connection);
    if (!Number.isFinite(this.#options.idleMs)) return;
    this.#sweeping ??= setInterval(() => this.#sweep(), sweepEveryMs).unref();
  }

  /** Closes what has been idle for too long. The one that was used last is at the end. */
  #sweep(): void {
    const { idleMs } = this.#options;
    const now = performance.now();
    while (this.#idle[0] !== undefined && (this.#idle[0].isLost || now - this.#idle[0].usedAt > idleMs)) {
      this.#discard(this.#idle.shift() as DriverConnection);
    }
    if (this.#idle.length > 0) return;
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
  }

  #discard(connection: DriverConnection): void {
    this.#open.delete(connection);
    if (connection.isLost) connection.destroy();
    else void connection.close();
  }

  #makeDo(): void {
    this.#turns.concurrency = Math.max(1, this.#open.size);
    this.#crowdedUntil = performance.now() + crowdedMs;
  }

  #regain(): void {
    this.#turns.concurrency = this.#options.max;
    this.#crowdedUntil = 0;
  }
}

function allInUse(): Error {
  return notConnected(Object.assign(new Error('all connections are in use'), { code: 'NO_ANSWER' }));
}

function stopped(): Error {
  return Object.assign(new Error('its connections are closed for good'), { code: 'STOPPED' });
}
