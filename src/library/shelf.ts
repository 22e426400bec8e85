import { stat } from 'node:fs/promises';
import type PQueue from 'p-queue';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { Database } from '../db/connection.ts';
import { type Library, setLibraryScanned } from '../db/libraries.ts';
import { messageOf } from '../errors.ts';
import type { Inspector } from './inspector.ts';
import { idleProgress, type ProgressBoard, type ScanProgress } from './progress.ts';
import { type PendingFile, type ScanDeps, scanLibrary } from './scan.ts';
import { isInside } from './walk.ts';
import { FolderWatcher } from './watch.ts';

/** After a change in the folder, so long for others to join it. */
const gatherMs = 500;
/** With more changed paths than this, everything is looked at. */
const maxSuspects = 500;
/** A library whose scan failed is tried again so often: its disk may be back. */
const retryMs = 30_000;
const shortestRecheckMs = 200;
const longestRecheckMs = 5_000;

/** Endings that come and go in media folders, and of which no folder is named. */
const uninteresting =
  /\.(ass|bif|crdownload|db|idx|jpe?g|json|log|part|partial|png|rar|srt|ssa|sub|sup|tbn|te?mp|txt|vtt|webp|xml|zip|!qb)$/i;

export interface ShelfDeps {
  db: Database;
  log: Logger;
  config: Config['library'];
  inspector: Inspector;
  board: ProgressBoard;
  /** In which the scans of all libraries wait for one another. */
  scans: PQueue;
  /** Something about the media has changed. */
  onChange: () => void;
}

/**
 * One library: scans all of its folder when asked to, looks at single files when the system says that they
 * changed, and again at those that are still being written.
 */
export class Shelf {
  /** Folders that were seen since the last scan of everything began. */
  private folders = new Set<string>();
  private watcher: FolderWatcher | undefined;
  /** False after the system refused to watch; periodic scans remain. */
  private canWatch: boolean;
  /** Device and inode of the folder that is watched: another disk may be mounted there. */
  private rootId: string | undefined;
  private readonly pending = new Map<string, PendingFile>();
  /** Paths that may have changed. */
  private readonly suspects = new Set<string>();
  private checkTimer: NodeJS.Timeout | undefined;
  private checking: Promise<void> | undefined;
  /** The scan that runs or waits for its turn, and what of it runs. */
  private scanning: Promise<ScanProgress> | undefined;
  private running: Promise<void> | undefined;
  private retryTimer: NodeJS.Timeout | undefined;
  private readonly closed = new AbortController();

  constructor(
    readonly library: Library,
    private readonly deps: ShelfDeps,
  ) {
    this.canWatch = deps.config.watch;
    deps.board.set(idleProgress(library.id));
  }

  /** Ends what runs, and waits for it. */
  async close(): Promise<void> {
    this.closed.abort();
    clearTimeout(this.checkTimer);
    clearTimeout(this.retryTimer);
    this.watcher?.close();
    await Promise.allSettled([this.running, this.checking]);
    this.deps.board.remove(this.library.id);
  }

  /** Scans everything, or joins the scan that runs or waits. Resolves when it has ended, well or not. */
  async scan(): Promise<ScanProgress> {
    this.scanning ??= this.enqueue().finally(() => {
      this.scanning = undefined;
    });
    return await this.scanning;
  }

  /** A scan that fails says so in its progress and in the log. */
  scanInBackground(): void {
    if (this.closed.signal.aborted) return;
    const { log } = this.deps;
    this.scan().catch((error: unknown) => log.error({ err: error }, 'a scan broke off'));
  }

  private async enqueue(): Promise<ScanProgress> {
    const { board, scans } = this.deps;
    const { id } = this.library;
    board.set({ ...idleProgress(id), state: 'waiting' });
    await scans.add(async () => {
      this.running = this.scanEverything();
      await this.running;
    });
    return board.get(id) ?? idleProgress(id);
  }

  private async scanEverything(): Promise<void> {
    const { library, pending, closed } = this;
    const { db, log, board, onChange } = this.deps;
    if (closed.signal.aborted) return;
    clearTimeout(this.retryTimer);
    this.suspects.clear();
    board.set({ ...idleProgress(library.id), state: 'walking', startedAt: Date.now() });
    this.folders = new Set();
    try {
      const watcher = this.watcherOf(await identity(library.path));
      const { counts, changed } = await scanLibrary(
        {
          library,
          scopes: [''],
          pending,
          urgent: false,
          signal: closed.signal,
          onFolder: (folder) => {
            this.folders.add(folder);
            watcher?.add(folder);
          },
          onProgress: (now, state, current) =>
            board.change(library.id, { ...now, state, ...(current !== undefined && { current }) }),
        },
        this.scanDeps(),
      );
      watcher?.retain(this.folders);
      await setLibraryScanned(db, library.id, Date.now());
      this.finish({ ...counts, state: 'done' });
      log.info({ library: library.name, ...counts }, 'library scanned');
      this.recheckPending();
      if (changed > 0) onChange();
    } catch (error) {
      if (closed.signal.aborted) return;
      this.fail(error);
      onChange();
    }
  }

  private scanDeps(): ScanDeps {
    const { db, log, config, inspector } = this.deps;
    return { db, log, inspector, settleMs: config.settleMs };
  }

  private finish(change: Partial<ScanProgress>): void {
    const { board } = this.deps;
    const progress = board.get(this.library.id);
    if (!progress) return;
    const { current: _, ...rest } = progress;
    board.set({ ...rest, ...change, finishedAt: Date.now() });
  }

  /** The folder is away or something broke: what is watched may be dead, so it is built anew by the next scan. */
  private fail(error: unknown): void {
    const { library } = this;
    this.deps.log.warn({ library: library.name, reason: messageOf(error) }, 'the library was not scanned');
    this.finish({ state: 'failed', error: messageOf(error) });
    this.watcher?.close();
    this.watcher = undefined;
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => this.scanInBackground(), retryMs).unref();
  }

  private watcherOf(rootId: string | undefined): FolderWatcher | undefined {
    if (!this.canWatch) return undefined;
    const { library } = this;
    if (rootId !== this.rootId) {
      this.watcher?.close();
      this.watcher = undefined;
      this.rootId = rootId;
    }
    this.watcher ??= new FolderWatcher({
      root: library.path,
      onEvent: (path) => this.suspect(path),
      onError: (error) => {
        this.canWatch = false;
        this.watcher = undefined;
        const everyMs = this.deps.config.rescanMs;
        const advice = 'changes are only seen by the periodic scan; raise fs.inotify.max_user_watches';
        this.deps.log.warn(
          { library: library.name, reason: messageOf(error), everyMs },
          `the folder cannot be watched: ${advice}`,
        );
      },
    });
    return this.watcher;
  }

  /** A recording in progress gives thousands of these a second. */
  private suspect(path: string): void {
    if (this.pending.has(path) || this.suspects.has(path)) return;
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (uninteresting.test(name)) return;
    const isNfo = name.endsWith('.nfo');
    this.suspects.add(isNfo ? path.slice(0, Math.max(0, path.lastIndexOf('/'))) : path);
    this.checkSoon(gatherMs);
  }

  private checkSoon(afterMs: number): void {
    if (this.checkTimer || this.closed.signal.aborted) return;
    this.checkTimer = setTimeout(() => {
      this.checkTimer = undefined;
      if (this.checking) return this.checkSoon(gatherMs);
      this.checking = this.check().finally(() => {
        this.checking = undefined;
        this.recheckPending();
      });
    }, afterMs).unref();
  }

  private recheckPending(): void {
    if (this.pending.size === 0) return;
    const { settleMs } = this.deps.config;
    this.checkSoon(Math.min(longestRecheckMs, Math.max(shortestRecheckMs, settleMs / 2)));
  }

  /** Looks at what may have changed and at what is pending, and at nothing else. Never rejects. */
  private async check(): Promise<void> {
    const { library, pending, suspects, closed } = this;
    const { board, onChange } = this.deps;
    const scopes = suspects.size > maxSuspects ? [''] : outermost([...suspects, ...pending.keys()]);
    suspects.clear();
    if (scopes.length === 0) return;
    try {
      if ((await identity(library.path)) !== this.rootId && this.watcher) {
        this.scanInBackground();
        return;
      }
      const { changed } = await scanLibrary(
        {
          library,
          scopes,
          pending,
          urgent: true,
          signal: closed.signal,
          onFolder: (folder) => {
            this.folders.add(folder);
            this.watcher?.add(folder);
          },
        },
        this.scanDeps(),
      );
      board.change(library.id, { pending: pending.size });
      if (changed > 0) onChange();
    } catch (error) {
      if (!closed.signal.aborted) this.fail(error);
    }
  }
}

/** Paths without those that lie in another one of them. */
function outermost(paths: readonly string[]): string[] {
  const kept: string[] = [];
  for (const path of [...new Set(paths)].sort()) {
    if (kept[0] === '') break;
    const last = kept.findLast((other) => path.startsWith(other));
    if (last === undefined || !isInside(path, last)) kept.push(path);
  }
  return kept;
}

async function identity(path: string): Promise<string | undefined> {
  const stats = await stat(path).catch(() => undefined);
  return stats && `${stats.dev}:${stats.ino}`;
}
