import { access, constants, opendir, realpath, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import PQueue from 'p-queue';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { Database } from '../db/connection.ts';
import {
  deleteLibrary,
  insertLibrary,
  type Library,
  listLibraries,
  setLibraryScanned,
} from '../db/libraries.ts';
import { ConflictError, InvalidError, messageOf, NotFoundError } from '../errors.ts';
import { Inspector } from './inspector.ts';
import { idleProgress, ProgressBoard, type ProgressListener, type ScanProgress } from './progress.ts';
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

/** One library as the service keeps it. */
interface Shelf {
  library: Library;
  watcher: FolderWatcher | undefined;
  /** Folders that were seen since the last scan of everything began. */
  folders: Set<string>;
  /** Device and inode of the folder that is watched: another disk may be mounted there. */
  rootId: string | undefined;
  /** False after the system refused to watch; periodic scans remain. */
  canWatch: boolean;
  pending: Map<string, PendingFile>;
  /** Paths that may have changed. */
  suspects: Set<string>;
  checkTimer: NodeJS.Timeout | undefined;
  checking: Promise<void> | undefined;
  /** The scan that runs or waits for its turn, and what of it runs. */
  scanning: Promise<ScanProgress> | undefined;
  running: Promise<void> | undefined;
  retryTimer: NodeJS.Timeout | undefined;
  stopped: AbortController;
}

/**
 * Keeps the media of all libraries as their folders are: scans each at start and from time to time, looks
 * at single files when the system says that they changed, and again at those that are still being written.
 */
export class LibraryService {
  private readonly shelves = new Map<string, Shelf>();
  private readonly board = new ProgressBoard();
  private readonly scans = new PQueue({ concurrency: 1 });
  private readonly inspector: Inspector;
  private stopping: Promise<void> | undefined;

  constructor(
    private readonly deps: {
      db: Database;
      log: Logger;
      config: Config['library'];
      ffmpeg: Config['ffmpeg'];
      /** Called after something about a library's media has changed. */
      onChange?: (libraryId: string) => void;
    },
  ) {
    const { log, config, ffmpeg } = deps;
    this.inspector = new Inspector({
      log,
      probePath: ffmpeg.probePath,
      // A scan can wait for everything else.
      niceness: 19,
      timeoutMs: config.probeTimeoutMs,
      concurrency: config.probes,
    });
  }

  /** Begins to scan all libraries, and does not wait for it. Rejects when the database cannot be read. */
  async start(): Promise<void> {
    for (const library of await listLibraries(this.deps.db)) this.open(library);
    for (const id of this.shelves.keys()) this.scanInBackground(id);
  }

  async stop(): Promise<void> {
    this.stopping ??= this.stopAll();
    await this.stopping;
  }

  /** Processes that inspect media at the moment. */
  get inspectors(): number {
    return this.inspector.processes;
  }

  async list(): Promise<Library[]> {
    return await listLibraries(this.deps.db);
  }

  /**
   * Adds a folder and begins to scan it. Throws InvalidError when it cannot be a library, and ConflictError
   * when it is, holds or lies in another one.
   */
  async add(input: { name: string; path: string }): Promise<Library> {
    const operation = `adding the library ${input.name}`;
    const path = await this.checkFolder(input.path, operation);
    const library = await insertLibrary(this.deps.db, { name: input.name, path });
    if (!library) throw new ConflictError(`${path} is a library already.`, { operation });
    this.adopt(library);
    return library;
  }

  /** Begins to scan a library that was added to the database by somebody else. */
  adopt(library: Library): void {
    if (this.shelves.has(library.id)) return;
    this.open(library);
    this.scanInBackground(library.id);
  }

  /** Removes a library and its media from the database; its files stay. Throws NotFoundError. */
  async remove(libraryId: string): Promise<void> {
    const shelf = this.shelves.get(libraryId);
    if (shelf) await this.close(shelf);
    try {
      if (!(await deleteLibrary(this.deps.db, libraryId))) throw notFound(libraryId);
    } catch (error) {
      if (shelf && !(error instanceof NotFoundError)) this.open(shelf.library);
      throw error;
    }
    this.tellChange(libraryId);
  }

  /**
   * Scans a library, or joins the scan that runs or waits for its turn. Resolves when it has ended, well or
   * not: the progress says which. Throws NotFoundError.
   */
  async scan(libraryId: string): Promise<ScanProgress> {
    const shelf = this.shelves.get(libraryId);
    if (!shelf) throw notFound(libraryId);
    shelf.scanning ??= this.enqueue(shelf).finally(() => {
      shelf.scanning = undefined;
    });
    return await shelf.scanning;
  }

  /** Scans all libraries and waits for it. To be run from time to time, for what no event has told of. */
  async scanAll(): Promise<{ libraries: number; failed: string[] }> {
    const shelves = [...this.shelves.values()];
    const results = await Promise.all(
      shelves.map(async ({ library }) => {
        // One that has been removed meanwhile has no scan, and that is no failure.
        const progress = this.shelves.has(library.id) ? await this.scan(library.id) : undefined;
        return progress?.state === 'failed' ? library.name : undefined;
      }),
    );
    return { libraries: shelves.length, failed: results.filter((name) => name !== undefined) };
  }

  /** Scans what could not be scanned: what was away is back. */
  retryFailed(): void {
    for (const id of this.shelves.keys()) {
      if (this.board.get(id)?.state === 'failed') this.scanInBackground(id);
    }
  }

  /** Of the scan that runs, or of the last one. Throws NotFoundError. */
  progress(libraryId: string): ScanProgress {
    const progress = this.board.get(libraryId);
    if (!progress) throw notFound(libraryId);
    return progress;
  }

  /** Tells of every library's progress, at most ten times a second for each. */
  subscribe(listener: ProgressListener): () => void {
    return this.board.subscribe((progress) => {
      try {
        listener(progress);
      } catch (error) {
        this.deps.log.error({ err: error }, 'the progress of a scan could not be passed on');
      }
    });
  }

  private async checkFolder(input: string, operation: string): Promise<string> {
    if (input.includes('\0')) throw new InvalidError('A path cannot hold a NUL.', { operation });
    const path = resolve(input);
    if (path === '/')
      throw new InvalidError('The root of the file system cannot be a library.', { operation });
    let real: string;
    try {
      real = await realpath(path);
      if (!(await stat(real)).isDirectory()) throw new Error('it is not a folder');
      await access(real, constants.R_OK | constants.X_OK);
      await (await opendir(real)).close();
    } catch (error) {
      const message = `The folder ${path} cannot be used: ${reasonOf(error)}.`;
      throw new InvalidError(message, { operation, cause: error });
    }
    for (const other of await listLibraries(this.deps.db)) {
      const otherReal = await realpath(other.path).catch(() => other.path);
      const overlaps = (a: string, b: string) => isInside(a, b) || isInside(b, a);
      if (overlaps(path, other.path) || overlaps(real, otherReal)) {
        throw new ConflictError(`${path} overlaps with the library ${other.name} (${other.path}).`, {
          operation,
        });
      }
    }
    return path;
  }

  private open(library: Library): void {
    if (this.stopping) return;
    this.shelves.set(library.id, {
      library,
      watcher: undefined,
      folders: new Set(),
      rootId: undefined,
      canWatch: this.deps.config.watch,
      pending: new Map(),
      suspects: new Set(),
      checkTimer: undefined,
      checking: undefined,
      scanning: undefined,
      running: undefined,
      retryTimer: undefined,
      stopped: new AbortController(),
    });
    this.board.set(idleProgress(library.id));
  }

  private async close(shelf: Shelf): Promise<void> {
    this.shelves.delete(shelf.library.id);
    shelf.stopped.abort();
    clearTimeout(shelf.checkTimer);
    clearTimeout(shelf.retryTimer);
    shelf.watcher?.close();
    await Promise.allSettled([shelf.running, shelf.checking]);
    this.board.remove(shelf.library.id);
  }

  private async stopAll(): Promise<void> {
    const closing = [...this.shelves.values()].map((shelf) => this.close(shelf));
    await Promise.allSettled([...closing, this.inspector.stop()]);
    this.board.close();
  }

  private scanInBackground(libraryId: string): void {
    // A scan that fails says so in its progress and in the log; this can only be a library that is gone.
    this.scan(libraryId).catch((error: unknown) => {
      this.deps.log.debug({ libraryId, reason: messageOf(error) }, 'not scanned');
    });
  }

  private async enqueue(shelf: Shelf): Promise<ScanProgress> {
    const { id } = shelf.library;
    this.board.set({ ...idleProgress(id), state: 'waiting' });
    await this.scans.add(async () => {
      shelf.running = this.scanEverything(shelf);
      await shelf.running;
    });
    return this.board.get(id) ?? idleProgress(id);
  }

  private async scanEverything(shelf: Shelf): Promise<void> {
    const { library, pending, stopped } = shelf;
    const { db, log } = this.deps;
    if (stopped.signal.aborted) return;
    clearTimeout(shelf.retryTimer);
    shelf.suspects.clear();
    this.board.set({ ...idleProgress(library.id), state: 'walking', startedAt: Date.now() });
    shelf.folders = new Set();
    try {
      const watcher = this.watcherOf(shelf, await identity(library.path));
      const { counts, changed } = await scanLibrary(
        {
          library,
          scopes: [''],
          pending,
          urgent: false,
          signal: stopped.signal,
          onFolder: (folder) => {
            shelf.folders.add(folder);
            watcher?.add(folder);
          },
          onProgress: (now, state, current) =>
            this.board.change(library.id, { ...now, state, ...(current !== undefined && { current }) }),
        },
        this.scanDeps(),
      );
      watcher?.retain(shelf.folders);
      await setLibraryScanned(db, library.id, Date.now());
      this.finish(library.id, { ...counts, state: 'done' });
      log.info({ library: library.name, ...counts }, 'library scanned');
      this.recheckPending(shelf);
      if (changed > 0) this.tellChange(library.id);
    } catch (error) {
      if (stopped.signal.aborted) return;
      this.fail(shelf, error);
      this.tellChange(library.id);
    }
  }

  private scanDeps(): ScanDeps {
    const { db, log, config } = this.deps;
    return { db, log, inspector: this.inspector, settleMs: config.settleMs };
  }

  private finish(libraryId: string, change: Partial<ScanProgress>): void {
    const progress = this.board.get(libraryId);
    if (!progress) return;
    const { current: _, ...rest } = progress;
    this.board.set({ ...rest, ...change, finishedAt: Date.now() });
  }

  /** The folder is away or something broke: what is watched may be dead, so it is built anew by the next scan. */
  private fail(shelf: Shelf, error: unknown): void {
    const { library } = shelf;
    this.deps.log.warn({ library: library.name, reason: messageOf(error) }, 'the library was not scanned');
    this.finish(library.id, { state: 'failed', error: messageOf(error) });
    shelf.watcher?.close();
    shelf.watcher = undefined;
    clearTimeout(shelf.retryTimer);
    shelf.retryTimer = setTimeout(() => this.scanInBackground(library.id), retryMs).unref();
  }

  private watcherOf(shelf: Shelf, rootId: string | undefined): FolderWatcher | undefined {
    if (!shelf.canWatch) return undefined;
    const { library } = shelf;
    if (rootId !== shelf.rootId) {
      shelf.watcher?.close();
      shelf.watcher = undefined;
      shelf.rootId = rootId;
    }
    shelf.watcher ??= new FolderWatcher({
      root: library.path,
      onEvent: (path) => this.suspect(shelf, path),
      onError: (error) => {
        shelf.canWatch = false;
        shelf.watcher = undefined;
        const everyMs = this.deps.config.rescanMs;
        const advice = 'changes are only seen by the periodic scan; raise fs.inotify.max_user_watches';
        this.deps.log.warn(
          { library: library.name, reason: messageOf(error), everyMs },
          `the folder cannot be watched: ${advice}`,
        );
      },
    });
    return shelf.watcher;
  }

  /** A recording in progress gives thousands of these a second. */
  private suspect(shelf: Shelf, path: string): void {
    if (shelf.pending.has(path) || shelf.suspects.has(path)) return;
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (uninteresting.test(name)) return;
    const isNfo = name.endsWith('.nfo');
    shelf.suspects.add(isNfo ? path.slice(0, Math.max(0, path.lastIndexOf('/'))) : path);
    this.checkSoon(shelf, gatherMs);
  }

  private checkSoon(shelf: Shelf, afterMs: number): void {
    if (shelf.checkTimer || shelf.stopped.signal.aborted) return;
    shelf.checkTimer = setTimeout(() => {
      shelf.checkTimer = undefined;
      if (shelf.checking) return this.checkSoon(shelf, gatherMs);
      shelf.checking = this.check(shelf).finally(() => {
        shelf.checking = undefined;
        this.recheckPending(shelf);
      });
    }, afterMs).unref();
  }

  private recheckPending(shelf: Shelf): void {
    if (shelf.pending.size === 0) return;
    const { settleMs } = this.deps.config;
    this.checkSoon(shelf, Math.min(longestRecheckMs, Math.max(shortestRecheckMs, settleMs / 2)));
  }

  /** Looks at what may have changed and at what is pending, and at nothing else. Never rejects. */
  private async check(shelf: Shelf): Promise<void> {
    const { library, pending, suspects, stopped } = shelf;
    const scopes = suspects.size > maxSuspects ? [''] : outermost([...suspects, ...pending.keys()]);
    suspects.clear();
    if (scopes.length === 0) return;
    try {
      if ((await identity(library.path)) !== shelf.rootId && shelf.watcher) {
        this.scanInBackground(library.id);
        return;
      }
      const { changed } = await scanLibrary(
        {
          library,
          scopes,
          pending,
          urgent: true,
          signal: stopped.signal,
          onFolder: (folder) => {
            shelf.folders.add(folder);
            shelf.watcher?.add(folder);
          },
        },
        this.scanDeps(),
      );
      this.board.change(library.id, { pending: pending.size });
      if (changed > 0) this.tellChange(library.id);
    } catch (error) {
      if (!stopped.signal.aborted) this.fail(shelf, error);
    }
  }

  private tellChange(libraryId: string): void {
    try {
      this.deps.onChange?.(libraryId);
    } catch (error) {
      this.deps.log.error({ err: error }, 'a change of the library could not be passed on');
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

function notFound(libraryId: string): NotFoundError {
  return new NotFoundError(`There is no library ${libraryId}.`, { operation: 'looking up a library' });
}

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'it does not exist';
  if (code === 'EACCES' || code === 'EPERM') return 'this server has no permission to read it';
  if (code === 'ENOTDIR') return 'it is not a folder';
  return messageOf(error);
}
