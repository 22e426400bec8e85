import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { Piscina } from 'piscina';
import { messageOf, UnavailableError } from '../errors.ts';
import { LogFeed } from './log-feed.ts';
import type { LogFiles } from './log-files.ts';
import type { LogFilter } from './log-filter.ts';
import type { LogContext, LogPage, LogQuery, LogSequel } from './log-index.ts';
import type { LogTail } from './log-tail.ts';
import type { LogWorkerData } from './log-worker.ts';

/** What a watcher of the log is told. */
export type LogEvent =
  | { kind: 'entry'; id: string; json: string }
  /** Entries are missing here: the watcher was too slow, or they are not kept any more. */
  | { kind: 'lost'; entries?: number; reason: 'slow' | 'removed' }
  /** Nothing, for a while. */
  | { kind: 'silence' };

/** Tests run the sources, but a thread needs the built file. */
const filename = fileURLToPath(
  new URL(
    import.meta.url.endsWith('.ts') ? '../../dist/logs/log-worker.js' : './log-worker.js',
    import.meta.url,
  ),
);

/** A disk that hangs keeps nobody waiting. */
const flushWaitMs = 1_000;
const answerWaitMs = 30_000;
/** So that a first look after a long time has little to take in. */
const refreshMs = 10_000;
const silenceMs = 15_000;
const sequelLimit = 500;
const maxWatchers = 50;

/** The log for those who read it. The files are read by a thread of their own. */
export class LogStore {
  private readonly pool: Piscina;
  private readonly watchers = new Set<AbortController>();
  private timer: NodeJS.Timeout | undefined;
  private stopped: Promise<void> | undefined;

  constructor(private readonly deps: { files: LogFiles; tail: LogTail; log: Logger }) {
    this.pool = new Piscina({
      filename,
      minThreads: 1,
      maxThreads: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      maxQueue: 100,
      workerData: { folder: deps.files.folder } satisfies LogWorkerData,
    });
    this.pool.on('error', (error: Error) => deps.log.error({ err: error }, 'the reader of the log failed'));
  }

  /** Begins to take in what the files have. Nobody needs to wait for that. */
  start(): void {
    const refresh = () => {
      if (this.pool.queueSize === 0) this.pool.run(undefined, { name: 'refresh' }).catch(() => {});
    };
    refresh();
    this.timer = setInterval(refresh, refreshMs).unref();
  }

  /** A page of the entries that match, the newest first. Throws UnavailableError when the files cannot be read now. */
  find(query: LogQuery): Promise<LogPage> {
    return this.ask('find', query);
  }

  /** An entry with those around it; undefined when it is not kept. Throws UnavailableError. */
  around(id: string, count: number): Promise<LogContext | undefined> {
    return this.ask('around', { id, count });
  }

  /**
   * What is being logged and matches, until the signal ends it; with `after`, first what has been logged since that
   * entry. Throws UnavailableError when there are too many watchers; the events do when the files cannot be read now.
   */
  watch(filter: LogFilter, until: AbortSignal, after?: string): AsyncGenerator<LogEvent, void> {
    if (this.watchers.size >= maxWatchers) {
      throw new UnavailableError(`The log has ${maxWatchers} watchers, and takes no more.`, {
        operation: 'watching the log',
      });
    }
    const watcher = new AbortController();
    this.watchers.add(watcher);
    until.addEventListener('abort', () => watcher.abort(), { once: true });
    watcher.signal.addEventListener('abort', () => this.watchers.delete(watcher), { once: true });
    // Opened at once, so that nothing is missed from now on.
    const feed = after === undefined ? new LogFeed(this.deps.tail, filter, watcher.signal) : undefined;
    return this.events(filter, watcher, after, feed);
  }

  /** Removes all entries, the files too, and logs that. Throws UnavailableError when a file cannot be removed. */
  async clear(): Promise<void> {
    try {
      await this.deps.files.clear();
    } catch (error) {
      throw new UnavailableError(`The log cannot be emptied: ${messageOf(error)}`, {
        operation: 'emptying the log',
        cause: error,
      });
    }
    this.deps.log.info('the log was emptied');
  }

  stop(): Promise<void> {
    this.stopped ??= this.end();
    return this.stopped;
  }

  private async *events(
    filter: LogFilter,
    watcher: AbortController,
    after: string | undefined,
    opened: LogFeed | undefined,
  ): AsyncGenerator<LogEvent, void> {
    const { signal } = watcher;
    let feed = opened;
    try {
      let last = after;
      while (last !== undefined && !signal.aborted) {
        const { entries, isCut, isGone } = await this.ask<LogSequel>('after', {
          id: last,
          filter,
          limit: sequelLimit,
        });
        if (isGone && last === after && feed === undefined) yield { kind: 'lost', reason: 'removed' };
        for (const entry of entries) yield { kind: 'entry', id: entry.id, json: JSON.stringify(entry) };
        last = entries.at(-1)?.id ?? last;
        if (isCut) continue;
        // One more look when the feed is open, so that nothing falls between the two.
        if (feed !== undefined) break;
        feed = new LogFeed(this.deps.tail, filter, signal);
      }
      feed ??= new LogFeed(this.deps.tail, filter, signal);
      while (!signal.aborted) {
        const news = await feed.take(silenceMs);
        for (const { id, json } of news.entries) {
          if (last === undefined || id > last) yield { kind: 'entry', id, json };
        }
        if (news.lost > 0) yield { kind: 'lost', entries: news.lost, reason: 'slow' };
        if (news.entries.length === 0) yield { kind: 'silence' };
      }
    } finally {
      feed?.close();
      watcher.abort();
    }
  }

  private async ask<T>(name: string, request: unknown): Promise<T> {
    await Promise.race([this.deps.files.flush(), delay(flushWaitMs, undefined, { ref: false })]);
    try {
      return (await this.pool.run(request, { name, signal: AbortSignal.timeout(answerWaitMs) })) as T;
    } catch (error) {
      throw new UnavailableError(`The log cannot be read now: ${messageOf(error)}`, {
        operation: 'reading the log',
        cause: error,
      });
    }
  }

  private async end(): Promise<void> {
    clearInterval(this.timer);
    for (const watcher of this.watchers) watcher.abort();
    await this.pool.destroy().catch((error: unknown) => {
      this.deps.log.warn({ err: error }, 'the reader of the log did not stop as it should');
    });
  }
}
