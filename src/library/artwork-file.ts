import { constants, type FileHandle, open, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { imageType } from './artwork.ts';
import { isInside } from './walk.ts';

/** A picture that is open, so that it stays the same while it is sent. Whoever has it closes it. */
export interface ArtworkFile {
  handle: FileHandle;
  type: string;
  bytes: number;
  /** Changes with the file, with quotes. */
  etag: string;
  lastModified: number;
}

/** Larger ones are no pictures for a guide. */
const maxBytes = 32 * 1024 * 1024;

/**
 * Opens a picture of a library. Undefined when it is not there, is not a plain file, or lies outside of the
 * library, where a link may lead.
 *
 * @param path relative to the library
 */
export async function openArtwork(library: string, path: string): Promise<ArtworkFile | undefined> {
  const type = imageType(path);
  if (type === undefined) return undefined;
  const handle = await openInside(library, path).catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    const stats = await handle.stat({ bigint: true });
    if (!stats.isFile() || stats.size > maxBytes) throw new Error('it is not a picture');
    const etag = `"${stats.size.toString(36)}-${stats.mtimeNs.toString(36)}-${stats.ino.toString(36)}"`;
    return { handle, type, bytes: Number(stats.size), etag, lastModified: Number(stats.mtimeMs) };
  } catch {
    await handle.close();
    return undefined;
  }
}

async function openInside(library: string, path: string): Promise<FileHandle | undefined> {
  const root = await realpath(library);
  const file = await realpath(join(root, path));
  if (!isInside(file, root)) return undefined;
  // What is checked is what is opened: no link at its end, and nothing that an opening waits for.
  return await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}
