import { access, constants, opendir, realpath, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import PQueue from 'p-queue';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { Database } from '../db/connection.ts';
import { deleteLibrary, insertLibrary, type Library, listLibraries } from '../db/libraries.ts';
import { ConflictError, InvalidError, messageOf, NotFoundError } from '../errors.ts';
import { Inspector } from './inspector.ts';
import { ProgressBoard, type ProgressListener, type ScanProgress } from './progress.ts';
import { Shelf } from './shelf.ts';
import { isInside } from './walk.ts';

/**
 * Keeps the media of all libraries as their folders are: scans each at start and from time to time, one after the
 * other. What changes in between each of them sees itself.
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
    for (const shelf of this.shelves.values()) shelf.scanInBackground();
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
    this.open(library)?.scanInBackground();
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
    return await shelf.scan();
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
    for (const [id, shelf] of this.shelves) {
      if (this.board.get(id)?.state === 'failed') shelf.scanInBackground();
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

  private open(library: Library): Shelf | undefined {
    if (this.stopping) return undefined;
    const { db, log, config } = this.deps;
    const { inspector, board, scans } = this;
    const onChange = () => this.tellChange(library.id);
    const shelf = new Shelf(library, { db, log, config, inspector, board, scans, onChange });
    this.shelves.set(library.id, shelf);
    return shelf;
  }

  private async close(shelf: Shelf): Promise<void> {
    this.shelves.delete(shelf.library.id);
    await shelf.close();
  }

  private async stopAll(): Promise<void> {
    const closing = [...this.shelves.values()].map((shelf) => this.close(shelf));
    await Promise.allSettled([...closing, this.inspector.stop()]);
    this.board.close();
  }

  private tellChange(libraryId: string): void {
    try {
      this.deps.onChange?.(libraryId);
    } catch (error) {
      this.deps.log.error({ err: error }, 'a change of the library could not be passed on');
    }
  }
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
