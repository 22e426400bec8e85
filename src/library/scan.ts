import { basename } from 'node:path/posix';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Database } from '../db/connection.ts';
import {
  describeMedia,
  hasMedia,
  type KnownFile,
  knownFiles,
  type MediaDescription,
  markReady,
  markUnavailable,
  type NewMedia,
  upsertMedia,
} from '../db/media.ts';
import { messageOf, StorageError } from '../errors.ts';
import { sameArtwork } from './artwork.ts';
import type { Inspection } from './inspect.ts';
import type { Inspector } from './inspector.ts';
import { isMediaName } from './media-files.ts';
import type { MediaMetadata } from './metadata.ts';
import { type FoundFile, holdsMedia, isInside, walk } from './walk.ts';

/** A file that was still being written when it was last looked at. */
export interface PendingFile {
  size: number;
  mtimeMs: number;
  /** Since when it has been seen with this size and time, by this process's monotonic clock. */
  sinceMs: number;
}

/** What one scan has done so far. */
export interface ScanCounts {
  /** Media files that were found in the folder. */
  found: number;
  /** Of these, known and as they were. */
  unchanged: number;
  /** New and changed ones, which are probed. */
  total: number;
  probed: number;
  failed: number;
  /** Still being written, and looked at again later. */
  pending: number;
  /** Known ones that are not there any more. */
  unavailable: number;
}

export interface ScanRequest {
  library: { id: string; path: string };
  /** Relative paths of files and folders; '' is everything. */
  scopes: readonly string[];
  /** Of this library; the scan keeps it. */
  pending: Map<string, PendingFile>;
  /** Before whatever else waits to be probed. */
  urgent: boolean;
  signal: AbortSignal;
  onFolder?: (path: string) => void;
  onProgress?: (counts: Readonly<ScanCounts>, phase: 'walking' | 'probing', current?: string) => void;
}

export interface ScanDeps {
  db: Database;
  log: Logger;
  inspector: Inspector;
  settleMs: number;
}

/** The folder of a library cannot be read, or is empty although it should not be. Nothing was changed. */
export class LibraryFolderError extends StorageError {
  override readonly name = 'LibraryFolderError';
}

const writeBatch = 25;
const writeEveryMs = 1_000;
const markBatch = 100;
/** Files' times are those of the kernel's last tick, up to 10 ms old. */
const tickMs = 10;

/**
 * Compares a library's folder with what is known of it: probes what is new or has changed, and marks what
 * is not there. Never deletes. Throws LibraryFolderError and changes nothing when the folder cannot be
 * read, or holds no media although it did: the disk is not mounted, most likely.
 */
export async function scanLibrary(
  request: ScanRequest,
  deps: ScanDeps,
): Promise<{ counts: ScanCounts; changed: number }> {
  return await new Scan(request, deps).run();
}

class Scan {
  private readonly counts: ScanCounts = {
    found: 0,
    unchanged: 0,
    total: 0,
    probed: 0,
    failed: 0,
    pending: 0,
    unavailable: 0,
  };
  private changed = 0;
  /** Known files that the walk has not come by yet. */
  private readonly known = new Map<string, KnownFile>();
  /** Files that were pending before, and that the walk has not come by yet. */
  private readonly awaited = new Set<string>();
  private readonly unreadable: string[] = [];
  private readonly returned: string[] = [];
  private readonly beingWritten: string[] = [];
  private readonly work: { file: FoundFile; known: KnownFile | undefined; probe: boolean }[] = [];
  private readonly rows: NewMedia[] = [];
  private writtenMs = performance.now();

  constructor(
    private readonly request: ScanRequest,
    private readonly deps: ScanDeps,
  ) {}

  async run(): Promise<{ counts: ScanCounts; changed: number }> {
    const { signal, pending, scopes } = this.request;
    for (const path of pending.keys()) {
      if (scopes.some((scope) => scope === '' || isInside(path, scope))) this.awaited.add(path);
    }
    await this.loadKnown();
    await this.walk();
    await this.guardEmptyFolder();
    await this.markVanished();
    await this.mark(this.returned, (ids) => markReady(this.deps.db, ids));
    await this.mark(this.beingWritten, (ids) => markUnavailable(this.deps.db, ids, 'it is being written to'));
    await this.inspectAll();
    signal.throwIfAborted();
    return { counts: this.counts, changed: this.changed };
  }

  private async loadKnown(): Promise<void> {
    const { library, scopes, signal } = this.request;
    const isFile = (path: string) => isMediaName(basename(path));
    const scope = scopes.includes('')
      ? undefined
      : { files: scopes.filter(isFile), folders: scopes.filter((path) => !isFile(path)) };
    for await (const page of knownFiles(this.deps.db, library.id, scope)) {
      signal.throwIfAborted();
      for (const file of page) this.known.set(file.path, file);
      await nextTurn();
    }
  }

  private async walk(): Promise<void> {
    const { library, scopes, signal, onFolder } = this.request;
    const { log } = this.deps;
    this.report('walking');
    try {
      const batches = walk({
        root: library.path,
        scopes,
        signal,
        onFolder,
        onSkipped: (path, why) => log.debug({ path, reason: messageOf(why) }, 'left out of the library'),
        onUnreadable: (path, why) => {
          log.warn({ path, reason: messageOf(why) }, 'a folder of the library cannot be read');
          this.unreadable.push(path);
        },
      });
      for await (const batch of batches) {
        for (const file of batch) this.compare(file);
        this.report('walking', batch.at(-1)?.path);
        await nextTurn();
      }
    } catch (error) {
      signal.throwIfAborted();
      throw this.folderError(`The folder ${library.path} cannot be read: ${messageOf(error)}`, error);
    }
  }

  private compare(file: FoundFile): void {
    const known = this.known.get(file.path);
    this.known.delete(file.path);
    this.awaited.delete(file.path);
    this.counts.found++;
    if (known && known.size === file.size && known.mtimeMs === file.mtimeMs) {
      this.request.pending.delete(file.path);
      this.compareSame(file, known);
    } else if (this.isSettled(file)) {
      this.request.pending.delete(file.path);
      this.addWork(file, known, true);
    } else {
      this.counts.pending++;
      if (known && known.state !== 'unavailable') this.beingWritten.push(known.id);
    }
  }

  private compareSame(file: FoundFile, known: KnownFile): void {
    // What failed may be readable now, after a chmod for example; its time does not tell, ctime does.
    if (!known.probed && (known.state === 'unavailable' || file.changedMs > known.updatedAt + tickMs)) {
      this.addWork(file, known, true);
      return;
    }
    this.counts.unchanged++;
    if (known.state === 'unavailable') this.returned.push(known.id);
    if (file.nfoMs > known.updatedAt - tickMs || !sameArtwork(file.artwork, known.artwork)) {
      this.work.push({ file, known, probe: false });
    }
  }

  private addWork(file: FoundFile, known: KnownFile | undefined, probe: boolean): void {
    this.work.push({ file, known, probe });
    this.counts.total++;
  }

  /**
   * A file is whole when it was last changed some time ago, or has been seen unchanged for as long: the
   * clock of a network share may be off, and a copy may carry the times of its original.
   */
  private isSettled({ path, size, mtimeMs, changedMs }: FoundFile): boolean {
    const { pending } = this.request;
    const { settleMs } = this.deps;
    const seen = pending.get(path);
    const now = performance.now();
    if (seen && seen.size === size && seen.mtimeMs === mtimeMs && now - seen.sinceMs >= settleMs) return true;
    const isKnownToChange = seen !== undefined && seen.size !== size;
    if (!isKnownToChange && Date.now() - changedMs >= settleMs) return true;
    if (!seen || seen.size !== size || seen.mtimeMs !== mtimeMs) {
      pending.set(path, { size, mtimeMs, sinceMs: now });
    }
    return false;
  }

  /** An empty folder is taken for a disk that is away. */
  private async guardEmptyFolder(): Promise<void> {
    const { library, scopes, signal } = this.request;
    if (this.counts.found > 0) return;
    if (!scopes.includes('')) {
      const vanished = [...this.known.values()].some((file) => file.state !== 'unavailable');
      if (!vanished || (await holdsMedia(library.path, signal).catch(() => false))) return;
    } else if (!(await hasMedia(this.deps.db, library.id))) {
      return;
    }
    throw this.folderError(
      `The folder ${library.path} holds no media any more. Is its disk mounted? Nothing was changed.`,
    );
  }

  private folderError(message: string, cause?: unknown): LibraryFolderError {
    return new LibraryFolderError(message, {
      operation: `scanning ${this.request.library.path}`,
      ...(cause !== undefined && { cause }),
    });
  }

  private async markVanished(): Promise<void> {
    const vanished: string[] = [];
    for (const file of this.known.values()) {
      if (this.unreadable.some((folder) => isInside(file.path, folder))) continue;
      if (file.state !== 'unavailable') vanished.push(file.id);
    }
    this.counts.unavailable += vanished.length;
    await this.mark(vanished, (ids) => markUnavailable(this.deps.db, ids, 'the file is not there'));
    for (const path of this.awaited) this.request.pending.delete(path);
    this.known.clear();
  }

  private async mark(ids: readonly string[], write: (ids: string[]) => Promise<void>): Promise<void> {
    for (let at = 0; at < ids.length; at += markBatch) {
      this.request.signal.throwIfAborted();
      const batch = ids.slice(at, at + markBatch);
      await write(batch);
      this.changed += batch.length;
    }
  }

  private async inspectAll(): Promise<void> {
    const { inspector } = this.deps;
    if (this.work.length === 0) return;
    this.report('probing');
    // The first failure ends the scan, and with it what it has begun.
    const own = new AbortController();
    const signal = AbortSignal.any([this.request.signal, own.signal]);
    const running = new Set<Promise<void>>();
    let failure: { error: unknown } | undefined;
    for (const item of this.work) {
      await inspector.ready();
      if (signal.aborted) break;
      const job = this.inspect(item, signal).catch((error: unknown) => {
        failure ??= { error };
        own.abort();
      });
      running.add(job);
      void job.finally(() => running.delete(job));
    }
    await Promise.all(running);
    this.request.signal.throwIfAborted();
    await this.flush();
    if (failure) throw failure.error;
  }

  private async inspect(item: Scan['work'][number], signal: AbortSignal): Promise<void> {
    const { library, urgent } = this.request;
    const { path, size, mtimeMs } = item.file;
    if (item.probe) this.report('probing', path);
    const job = { root: library.path, path, size, mtimeMs, probe: item.probe };
    const startedAt = Date.now();
    await this.take(await this.deps.inspector.inspect(job, { signal, urgent }), item, startedAt);
    const isDue = performance.now() - this.writtenMs >= writeEveryMs;
    if (isDue || this.rows.length >= writeBatch) await this.flush();
    this.report('probing');
  }

  private async take(
    inspection: Inspection,
    { file, known }: Scan['work'][number],
    startedAt: number,
  ): Promise<void> {
    const { db, log } = this.deps;
    const { path, size, mtimeMs, artwork = null } = file;
    if ('ignoredNfo' in inspection) {
      for (const reason of inspection.ignoredNfo) log.debug({ path, reason }, 'an NFO is ignored');
    }
    // Not when it is written down: an NFO that comes in between must count as newer.
    const base = { libraryId: this.request.library.id, path, size, mtimeMs, artwork, updatedAt: startedAt };
    switch (inspection.kind) {
      case 'ready': {
        const { probe, metadata } = inspection;
        const { durationMs } = probe;
        this.counts.probed++;
        this.rows.push({ ...base, ...columnsOf(metadata), state: 'ready', reason: null, durationMs, probe });
        break;
      }
      case 'failed': {
        const { reason, metadata } = inspection;
        this.counts.failed++;
        log.info({ path, reason }, 'a file cannot be aired');
        this.rows.push({
          ...base,
          ...columnsOf(metadata),
          state: 'failed',
          reason,
          durationMs: null,
          probe: null,
        });
        break;
      }
      case 'described':
        if (known) {
          await describeMedia(db, known.id, { ...columnsOf(inspection.metadata), artwork }, startedAt);
        }
        this.changed++;
        break;
      case 'changed':
        this.counts.pending++;
        this.request.pending.set(path, { size: -1, mtimeMs, sinceMs: performance.now() });
        if (known && known.state !== 'unavailable')
          await this.mark([known.id], (ids) => markUnavailable(db, ids, 'it is being written to'));
        break;
      case 'gone':
        if (known && known.state !== 'unavailable') {
          this.counts.unavailable++;
          await this.mark([known.id], (ids) => markUnavailable(db, ids, 'the file is not there'));
        }
        break;
    }
  }

  private async flush(): Promise<void> {
    this.writtenMs = performance.now();
    while (this.rows.length > 0) {
      const rows = this.rows.splice(0, writeBatch);
      await upsertMedia(this.deps.db, rows);
      this.changed += rows.length;
    }
  }

  private report(phase: 'walking' | 'probing', current?: string): void {
    this.request.onProgress?.(this.counts, phase, current);
  }
}

function columnsOf(metadata: MediaMetadata): Omit<MediaDescription, 'artwork'> {
  const { kind, title, show, season, episode, year, aired, plot, genres, rating, credits } = metadata;
  return {
    kind,
    title,
    show: show ?? null,
    season: season ?? null,
    episode: episode ?? null,
    year: year ?? null,
    aired: aired ?? null,
    plot: plot ?? null,
    genres: genres ?? [],
    rating: rating ?? null,
    credits: credits ?? null,
  };
}
