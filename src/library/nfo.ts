import { open } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { decodeXML } from 'entities';
import { XMLParser } from 'fast-xml-parser';
import { messageOf } from '../errors.ts';
import type { Actor, Credits, MediaMetadata } from './metadata.ts';

/** What a Kodi NFO says; every field may be missing. */
export interface Nfo {
  kind: 'movie' | 'episode' | 'show';
  title?: string;
  show?: string;
  season?: number;
  episode?: number;
  aired?: string;
  year?: number;
  plot?: string;
  genres?: string[];
  rating?: string;
  credits?: Credits;
}

const maxBytes = 1024 * 1024;
/** Of each kind: directors, actors, writers. */
const maxPeople = 30;
const roots = { movie: 'movie', episodedetails: 'episode', tvshow: 'show' } as const;

/** Entities are left alone and decoded below, the five of XML and numbers only: a DOCTYPE can define nothing. */
const parser = new XMLParser({
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  parseTagValue: false,
  processEntities: false,
});

/**
 * Parses the text of a Kodi NFO: `<movie>`, `<episodedetails>` (of several, the first) or `<tvshow>`.
 * Text after the XML, which Kodi allows, is ignored. Throws an Error when it is none of these.
 */
export function parseNfo(text: string): Nfo {
  const root = /<(movie|episodedetails|tvshow)[\s>]/.exec(text)?.[1] as keyof typeof roots | undefined;
  if (root === undefined) throw new Error('it holds no <movie>, <episodedetails> or <tvshow>');
  if (!text.includes(`</${root}>`)) throw new Error(`its <${root}> has no end`);
  const parsed: unknown = parser.parse(text);
  const element = first(fieldOf(parsed, root));
  if (typeof element !== 'object' || element === null) throw new Error(`its <${root}> is empty`);

  const kind = roots[root];
  const field = (name: string) => textOf(fieldOf(element, name));
  const aired = dateOf(field('aired')) ?? dateOf(field('premiered')) ?? dateOf(field('releasedate'));
  const genres = listOf(fieldOf(element, 'genre'));
  return withoutUndefined({
    kind,
    title: field('title')?.slice(0, 500),
    show: kind === 'show' ? field('title')?.slice(0, 500) : field('showtitle')?.slice(0, 500),
    season: countOf(field('season')),
    episode: countOf(field('episode')),
    aired,
    year: yearOf(field('year')) ?? yearOf(aired?.slice(0, 4)),
    plot: field('plot')?.slice(0, 10_000),
    genres: genres.length > 0 ? genres : undefined,
    rating: field('mpaa')?.slice(0, 100),
    credits: creditsOf(element),
  }) as Nfo;
}

/** Metadata with what the NFO says put over it, field by field; of a show's NFO only what holds for each episode. */
export function applyNfo(metadata: MediaMetadata, nfo: Nfo): MediaMetadata {
  const { kind, title, show, season, episode, aired, year, plot, genres, rating } = nfo;
  if (kind === 'show') {
    const { credits } = nfo;
    return metadata.kind === 'movie'
      ? metadata
      : { ...metadata, ...given({ show, genres, rating, credits }) };
  }
  // A show's cast holds for its episodes too, where these name none.
  const credits =
    kind === 'movie' || nfo.credits === undefined ? nfo.credits : { ...metadata.credits, ...nfo.credits };
  const common = given({ title, aired, year, plot, genres, rating, credits });
  if (kind === 'movie') {
    return { kind, title: metadata.title, ...given({ year: metadata.year }), ...common };
  }
  return { ...metadata, kind, ...common, ...given({ show, season, episode }) };
}

/**
 * Puts the NFO files that belong to a media file over its metadata: tvshow.nfo in its folder or the nearest
 * one above it within the library, then `<same name>.nfo`, else movie.nfo. One that cannot be used is left out and
 * named in `ignored`.
 */
export async function readNfoFiles(
  root: string,
  path: string,
  metadata: MediaMetadata,
): Promise<{ metadata: MediaMetadata; ignored: string[] }> {
  const ignored: string[] = [];
  const file = join(root, path);
  const folder = dirname(file);
  const read = (name: string) => readNfo(name, ignored);
  const own =
    (await read(join(folder, `${basename(file, extname(file))}.nfo`))) ??
    (metadata.kind === 'episode' ? undefined : await read(join(folder, 'movie.nfo')));
  let result = metadata;
  if (own?.kind !== 'movie') {
    const show = await nearestShow(root, folder, read);
    if (show) result = applyNfo(result, show);
  }
  if (own && own.kind !== 'show') result = applyNfo(result, own);
  return { metadata: result, ignored };
}

async function nearestShow(
  root: string,
  folder: string,
  read: (path: string) => Promise<Nfo | undefined>,
): Promise<Nfo | undefined> {
  for (let at = folder; at.startsWith(root); at = dirname(at)) {
    const nfo = await read(join(at, 'tvshow.nfo'));
    if (nfo?.kind === 'show') return nfo;
    if (at === root || at === dirname(at)) return undefined;
  }
  return undefined;
}

async function readNfo(path: string, ignored: string[]): Promise<Nfo | undefined> {
  try {
    const text = await readText(path);
    return text === undefined ? undefined : parseNfo(text);
  } catch (error) {
    ignored.push(`${path}: ${messageOf(error)}`);
    return undefined;
  }
}

async function readText(path: string): Promise<string | undefined> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'ENAMETOOLONG')
      return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new Error('it is not a file');
    if (stat.size > maxBytes) throw new Error('it is larger than 1 MB');
    return decode(await file.readFile());
  } finally {
    await file.close();
  }
}

function decode(bytes: Buffer): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return bytes.toString('utf16le', 2);
  const declared = /^[^>]{0,100}encoding=["']([\w-]+)["']/.exec(bytes.toString('latin1', 0, 200))?.[1];
  return new TextDecoder(declared ?? 'utf-8').decode(bytes);
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}

function first(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : value;
}

function textOf(value: unknown): string | undefined {
  const raw = first(value);
  if (typeof raw !== 'string') return undefined;
  // Postgres refuses NUL, and no control character belongs in a guide.
  const text = decodeXML(raw)
    .replace(/(?![\t\n\r])\p{Cc}/gu, '')
    .trim();
  return text === '' ? undefined : text;
}

/** Kodi writes one element a genre; older programs write "Drama / Crime" in one. */
function listOf(value: unknown): string[] {
  const values = Array.isArray(value) ? value : [value];
  const genres = values.flatMap((one) => textOf(one)?.split(/\s+\/\s+|\s*[|,]\s*/) ?? []);
  return [...new Set(genres.filter((genre) => genre !== ''))].slice(0, 50);
}

/** Kodi calls the writers credits. Undefined when nobody is named. */
function creditsOf(element: object): Credits | undefined {
  const people = (name: string) => namesOf(fieldOf(element, name));
  const credits = withoutUndefined({
    directors: people('director'),
    actors: actorsOf(fieldOf(element, 'actor')),
    writers: people('credits'),
  });
  return Object.keys(credits).length > 0 ? (credits as Credits) : undefined;
}

function namesOf(value: unknown): string[] | undefined {
  const values = Array.isArray(value) ? value : [value];
  const names = values.flatMap((one) => textOf(one)?.split(/\s+\/\s+/) ?? []);
  const found = [...new Set(names.map((name) => name.slice(0, 200)))].filter((name) => name !== '');
  return found.length > 0 ? found.slice(0, maxPeople) : undefined;
}

function actorsOf(value: unknown): Actor[] | undefined {
  const found: Actor[] = [];
  for (const one of Array.isArray(value) ? value : [value]) {
    const name = textOf(fieldOf(one, 'name'))?.slice(0, 200);
    if (name === undefined) continue;
    const role = textOf(fieldOf(one, 'role'))?.slice(0, 200);
    found.push({ name, ...(role !== undefined && { role }) });
    if (found.length === maxPeople) break;
  }
  return found.length > 0 ? found : undefined;
}

function countOf(text: string | undefined): number | undefined {
  return /^\d{1,6}$/.test(text ?? '') ? Number(text) : undefined;
}

function yearOf(text: string | undefined): number | undefined {
  return /^(1[89]|20)\d\d$/.test(text ?? '') ? Number(text) : undefined;
}

function dateOf(text: string | undefined): string | undefined {
  const date = /^\d{4}-\d\d-\d\d/.exec(text ?? '')?.[0];
  return date !== undefined && !Number.isNaN(Date.parse(date)) ? date : undefined;
}

/** The fields that have a value. */
function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return withoutUndefined(fields) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

function withoutUndefined<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
