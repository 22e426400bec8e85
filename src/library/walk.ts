import type { Dirent, Stats } from 'node:fs';
import { lstat, opendir, readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { basename, dirname, extname } from 'node:path/posix';
import { type Artwork, artworkOf, type FolderImages, imagesIn } from './artwork.ts';
import { isIgnoredFolder, isInIgnoredFolder, isMediaName } from './media-files.ts';

export interface FoundFile {
  /** Relative to the root, with `/`. */
  path: string;
  size: number;
  mtimeMs: number;
  /** When anything about the file last changed, its name and its permissions among it. */
  changedMs: number;
  /** When the newest NFO that belongs to it last changed; 0 without one. */
  nfoMs: number;
  /** The pictures that lie beside it. */
  artwork: Artwork | undefined;
}

export interface WalkOptions {
  root: string;
  /** Files and folders to look at, relative to the root; the root itself is ''. */
  scopes: readonly string[];
  signal: AbortSignal;
  /** Called with every folder before it is read. */
  onFolder?: ((path: string) => void) | undefined;
  /** Called with every file, folder or link that is left out, although one might expect it. */
  onSkipped?: ((path: string, why: unknown) => void) | undefined;
  /** Called with every folder that is there and cannot be read. */
  onUnreadable?: ((path: string, why: unknown) => void) | undefined;
}

interface Folder {
  path: string;
  /** Its absolute path without links. */
  real: string;
  showNfoMs: number;
  /** The pictures of the folder above it. */
  above: FolderImages;
}

/** So many files are looked at in parallel. */
const batchSize = 32;

/**
 * Finds the media files of a folder, in batches, in no particular order. Links may lead to other places
 * within the root, and never out of it; a folder that can be reached on several ways is read once. Rejects
 * when the root itself cannot be read.
 */
export async function* walk(options: WalkOptions): AsyncGenerator<FoundFile[]> {
  const realRoot = await realpath(options.root);
  const folders: Folder[] = [];
  const linked: Folder[] = [];
  const read = new Set<string>();
  for (const scope of options.scopes) {
    if (scope === '') folders.push({ path: '', real: realRoot, showNfoMs: 0, above: noImages });
    else yield* enterScope(scope, realRoot, folders, options);
  }
  for (;;) {
    options.signal.throwIfAborted();
    const folder = folders.pop() ?? linked.shift();
    if (folder === undefined) return;
    if (read.has(folder.real)) continue;
    read.add(folder.real);
    yield* readFolder(folder, { realRoot, folders, linked }, options);
  }
}

/** Whether there is any media file below the root. */
export async function holdsMedia(root: string, signal: AbortSignal): Promise<boolean> {
  for await (const batch of walk({ root, scopes: [''], signal })) {
    if (batch.length > 0) return true;
  }
  return false;
}

export function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}

async function* enterScope(
  scope: string,
  realRoot: string,
  folders: Folder[],
  options: WalkOptions,
): AsyncGenerator<FoundFile[]> {
  const name = basename(scope);
  const path = join(options.root, scope);
  if (isInIgnoredFolder(scope)) return;
  const entry = await lstat(path).catch(() => undefined);
  if (entry === undefined) return;
  const folder = dirname(scope) === '.' ? '' : dirname(scope);
  const real = await realpath(join(options.root, folder)).catch(() => undefined);
  // What lies behind a linked folder is left to a walk of everything, which knows whether it is a double.
  if (real !== join(realRoot, folder)) return;
  const showNfoMs = await inheritedShowNfo(options.root, folder);
  const images = await listImages(options.root, folder);
  if (entry.isDirectory()) {
    const real = join(realRoot, scope);
    if (!isIgnoredFolder(name)) folders.push({ path: scope, real, showNfoMs, above: images });
    return;
  }
  if (!isMediaName(name)) return;
  const target = entry.isSymbolicLink() ? await follow(scope, realRoot, options) : { stats: entry };
  if (!target?.stats.isFile()) return;
  const stem = join(options.root, folder, basename(name, extname(name)));
  const nfos = [`${stem}.nfo`, join(options.root, folder, 'movie.nfo')];
  const nfoMs = Math.max(showNfoMs, ...(await Promise.all(nfos.map(changedMs))));
  const parent = dirname(folder) === '.' ? '' : dirname(folder);
  const above = folder === '' ? noImages : await listImages(options.root, parent);
  yield [foundFile(scope, target.stats, nfoMs, artworkOf(scope, images, above))];
}

const noImages: FolderImages = new Map();

/** None when the folder cannot be read: then its media are not found either. */
async function listImages(root: string, folder: string): Promise<FolderImages> {
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(() => []);
  return imagesIn(folder, withoutFolders(entries));
}

async function inheritedShowNfo(root: string, folder: string): Promise<number> {
  const parts = folder === '' ? [] : folder.split('/');
  const folders = [root, ...parts.map((_, n) => join(root, ...parts.slice(0, n + 1)))];
  return Math.max(...(await Promise.all(folders.map((one) => changedMs(join(one, 'tvshow.nfo'))))));
}

async function* readFolder(
  folder: Folder,
  queues: { realRoot: string; folders: Folder[]; linked: Folder[] },
  options: WalkOptions,
): AsyncGenerator<FoundFile[]> {
  options.onFolder?.(folder.path);
  const absolute = join(options.root, folder.path);
  const entries = await list(absolute, folder, options);
  if (entries === undefined) return;
  const nfoNames = new Set(entries.filter((entry) => entry.name.endsWith('.nfo')).map((entry) => entry.name));
  const nfoOf = async (name: string) => (nfoNames.has(name) ? await changedMs(join(absolute, name)) : 0);
  const showNfoMs = Math.max(folder.showNfoMs, await nfoOf('tvshow.nfo'));
  const movieNfoMs = await nfoOf('movie.nfo');
  const images = imagesIn(folder.path, withoutFolders(entries));

  const files: string[] = [];
  for (const entry of entries) {
    const path = folder.path === '' ? entry.name : `${folder.path}/${entry.name}`;
    if (entry.isDirectory()) {
      if (!isIgnoredFolder(entry.name)) {
        queues.folders.push({ path, real: join(folder.real, entry.name), showNfoMs, above: images });
      }
    } else if (entry.isFile()) {
      if (isMediaName(entry.name)) files.push(path);
    } else if (entry.isSymbolicLink() && !entry.name.startsWith('.')) {
      const target = await follow(path, queues.realRoot, options);
      if (target?.stats.isFile() && isMediaName(entry.name)) files.push(path);
      if (target?.stats.isDirectory() && !isIgnoredFolder(entry.name)) {
        queues.linked.push({ path, real: target.real, showNfoMs, above: images });
      }
    }
  }
  for (let at = 0; at < files.length; at += batchSize) {
    options.signal.throwIfAborted();
    const batch = await Promise.all(
      files.slice(at, at + batchSize).map(async (path) => {
        const [stats, nfoMs] = await Promise.all([
          stat(join(options.root, path)).catch((error: unknown) => options.onSkipped?.(path, error)),
          nfoOf(`${basename(path, extname(path))}.nfo`),
        ]);
        const artwork = artworkOf(path, images, folder.above);
        return stats && foundFile(path, stats, Math.max(nfoMs, showNfoMs, movieNfoMs), artwork);
      }),
    );
    yield batch.filter((file) => file !== undefined);
  }
}

/** Undefined when the folder is gone or cannot be read; rejects for the root. */
async function list(absolute: string, folder: Folder, options: WalkOptions): Promise<Dirent[] | undefined> {
  const entries: Dirent[] = [];
  try {
    for await (const entry of await opendir(absolute, { bufferSize: 128 })) entries.push(entry);
    return entries;
  } catch (error) {
    if (folder.path === '') throw error;
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') options.onUnreadable?.(folder.path, error);
    return undefined;
  }
}

/** Where a link leads. Undefined when it leads nowhere or out of the root. */
async function follow(
  path: string,
  realRoot: string,
  options: WalkOptions,
): Promise<{ real: string; stats: Stats } | undefined> {
  try {
    const real = await realpath(join(options.root, path));
    if (isInside(real, realRoot)) return { real, stats: await stat(real) };
    options.onSkipped?.(path, 'the link leads out of the library');
  } catch (error) {
    options.onSkipped?.(path, error);
  }
  return undefined;
}

function* withoutFolders(entries: readonly Dirent[]): Generator<string> {
  for (const entry of entries) if (!entry.isDirectory()) yield entry.name;
}

function foundFile(path: string, stats: Stats, nfoMs: number, artwork: Artwork | undefined): FoundFile {
  return {
    path,
    size: stats.size,
    mtimeMs: Math.floor(stats.mtimeMs),
    changedMs: Math.max(stats.mtimeMs, stats.ctimeMs),
    nfoMs,
    artwork,
  };
}

async function changedMs(path: string): Promise<number> {
  const stats = await stat(path).catch(() => undefined);
  return stats?.isFile() ? Math.max(stats.mtimeMs, stats.ctimeMs) : 0;
}
