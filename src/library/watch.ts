import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import { isInside } from './walk.ts';

/**
 * Watches the folders that it is told of, one system watch each, and says what may have changed.
 *
 * The walk names the folders, so that nothing is read a second time for watching; a library that reads
 * chokidar's way, with a watch on each file, holds the thread for 0.1 s per 2,000 files.
 */
export class FolderWatcher {
  private readonly watchers = new Map<string, FSWatcher>();
  private broken = false;

  constructor(
    private readonly deps: {
      root: string;
      /** Path of the file or folder that may have come, changed or gone, relative to the root. */
      onEvent: (path: string) => void;
      /** Called once; nothing is watched from then on. */
      onError: (error: unknown) => void;
    },
  ) {}

  get size(): number {
    return this.watchers.size;
  }

  /** Watches one folder, not what is below it. */
  add(folder: string): void {
    if (this.broken || this.watchers.has(folder)) return;
    try {
      const watcher = watch(join(this.deps.root, folder), { persistent: false }, (event, name) => {
        const path = name === null ? folder : folder === '' ? name : `${folder}/${name}`;
        // A folder that was replaced by another one of its name must be watched anew.
        if (event === 'rename' && this.watchers.has(path)) this.forget(path);
        this.deps.onEvent(path);
      });
      watcher.on('error', (error) => this.fail(error));
      this.watchers.set(folder, watcher);
    } catch (error) {
      // A folder that is gone again is nothing special; the walk sees it too.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.fail(error);
    }
  }

  /** Forgets all folders but these. */
  retain(folders: ReadonlySet<string>): void {
    for (const [folder, watcher] of this.watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.watchers.delete(folder);
    }
  }

  close(): void {
    this.broken = true;
    this.retain(new Set());
  }

  private forget(path: string): void {
    const kept = [...this.watchers.keys()].filter((folder) => !isInside(folder, path));
    this.retain(new Set(kept));
  }

  private fail(error: unknown): void {
    if (this.broken) return;
    this.close();
    this.deps.onError(error);
  }
}
