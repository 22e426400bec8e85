import { type LogFilter, liveFilter } from './log-filter.ts';
import type { LogTail } from './log-tail.ts';

/** As much as waits for one watcher that is slow. */
const maxEntries = 1_000;
const maxLength = 1024 * 1024;

/** What has come since the last call. */
export interface FeedNews {
  entries: { id: string; json: string }[];
  /** How many entries were dropped after these, because the watcher did not take them. */
  lost: number;
}

/** The entries that are being logged, for one watcher. What it does not take in time is dropped and counted. */
export class LogFeed {
  private entries: FeedNews['entries'] = [];
  private length = 0;
  private lost = 0;
  private wake: (() => void) | undefined;
  private readonly unsubscribe: () => void;
  private isClosed = false;

  /** @param signal closes it */
  constructor(tail: LogTail, filter: LogFilter, signal: AbortSignal) {
    if (signal.aborted) this.isClosed = true;
    signal.addEventListener('abort', () => this.close(), { once: true });
    const matches = liveFilter(filter);
    this.unsubscribe = tail.subscribe((live) => {
      if (matches(live)) this.push(live.entry.id, live.json);
    });
  }

  /** Waits until there is something, or the time is over, or the feed is closed. */
  async take(waitMs: number): Promise<FeedNews> {
    if (this.entries.length === 0 && this.lost === 0 && !this.isClosed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitMs);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.wake = undefined;
    }
    const news = { entries: this.entries, lost: this.lost };
    this.entries = [];
    this.length = 0;
    this.lost = 0;
    return news;
  }

  close(): void {
    this.isClosed = true;
    this.unsubscribe();
    this.wake?.();
  }

  private push(id: string, json: string): void {
    // Once something is lost, what follows is too: the watcher is told at the place where it is missing.
    if (this.lost > 0 || this.entries.length >= maxEntries || this.length + json.length > maxLength) {
      this.lost += 1;
    } else {
      this.entries.push({ id, json });
      this.length += json.length;
    }
    this.wake?.();
  }
}
