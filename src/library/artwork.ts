import { basename, dirname, extname, join } from 'node:path/posix';
import { seasonOf } from './file-name.ts';

/** Pictures of a media, as paths relative to its library. */
export interface Artwork {
  /** Upright: of the film, the season or the show. */
  poster?: string;
  /** Of the episode itself. */
  still?: string;
  backdrop?: string;
}

export type ArtworkKind = keyof Artwork;
export const artworkKinds: readonly ArtworkKind[] = ['poster', 'still', 'backdrop'];

/** The pictures of one folder: each name without its ending, in lower case, and its path. */
export type FolderImages = ReadonlyMap<string, string>;

/** No SVG: it is a document that can hold scripts. */
const imageTypes: Record<string, string> = {
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.png': 'image/png',
  '.webp': 'image/webp',
};

/** The MIME type that a picture's name stands for; undefined for what is not served as one. */
export function imageType(path: string): string | undefined {
  return imageTypes[extname(path).toLowerCase()];
}

/**
 * The pictures among the names in a folder.
 *
 * @param folder relative to the library; '' is its root
 */
export function imagesIn(folder: string, names: Iterable<string>): FolderImages {
  const images = new Map<string, string>();
  for (const name of names) {
    if (name.startsWith('.') || imageType(name) === undefined) continue;
    const key = basename(name, extname(name)).toLowerCase();
    const known = images.get(key);
    const path = join(folder, name);
    // Of poster.jpg and poster.png always the same one, in whatever order they are listed.
    if (known === undefined || path < known) images.set(key, path);
  }
  return images;
}

/**
 * The pictures of a media file by the names that Kodi gives them: its own (`Film-poster.jpg`,
 * `Episode-thumb.jpg`), else those of its folder (`poster.jpg`, `folder.jpg`, `fanart.jpg`), and for a file in a
 * season's folder else those of the show above it (`season01-poster.jpg`, `poster.jpg`). Undefined when there are
 * none.
 *
 * @param path the media file's, relative to the library
 * @param above the pictures of the folder above its own
 */
export function artworkOf(path: string, own: FolderImages, above: FolderImages): Artwork | undefined {
  const name = basename(path, extname(path)).toLowerCase();
  const season = seasonOf(basename(dirname(path)));
  const show: FolderImages = season === undefined ? none : above;
  const found = {
    poster:
      pick(own, [`${name}-poster`, ...posters]) ??
      pick(show, [...(season === undefined ? [] : seasonPosters(season)), ...posters]),
    still: pick(own, [`${name}-thumb`, name]),
    backdrop: pick(own, [`${name}-fanart`, `${name}-backdrop`, ...backdrops]) ?? pick(show, backdrops),
  };
  const artwork = Object.fromEntries(Object.entries(found).filter(([, image]) => image !== undefined));
  return Object.keys(artwork).length > 0 ? artwork : undefined;
}

export function sameArtwork(a: Artwork | null | undefined, b: Artwork | null | undefined): boolean {
  return artworkKinds.every((kind) => a?.[kind] === b?.[kind]);
}

/**
 * The picture that stands for a media where only one is shown: a film's poster; an episode's still, or its
 * show's poster where that is preferred.
 */
export function iconOf(
  kind: 'movie' | 'episode' | 'other',
  artwork: Artwork,
  preferred: 'poster' | 'still',
): ArtworkKind | undefined {
  const first = kind === 'movie' ? 'poster' : preferred;
  const order: ArtworkKind[] = [first, first === 'poster' ? 'still' : 'poster', 'backdrop'];
  return order.find((each) => artwork[each] !== undefined);
}

const none: FolderImages = new Map();
const posters = ['poster', 'folder', 'cover'];
const backdrops = ['fanart', 'backdrop'];

function seasonPosters(season: number): string[] {
  return season === 0
    ? ['season-specials-poster', 'season00-poster']
    : [`season${String(season).padStart(2, '0')}-poster`];
}

function pick(images: FolderImages, names: readonly string[]): string | undefined {
  for (const name of names) {
    const image = images.get(name);
    if (image !== undefined) return image;
  }
  return undefined;
}
