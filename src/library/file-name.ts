import { basename, dirname, extname } from 'node:path/posix';
import type { MediaMetadata } from './metadata.ts';

/**
 * Reads title, year, show, season and episode from a file's path relative to its library.
 *
 * An episode is what has a number or a date; its show is the folder above its season's folder, else the
 * text before the number, else the folder. A movie is what has a year. Everything else is `other`, with its
 * name as its title. Of several episodes in one file, the first one counts.
 */
export function parseFileName(path: string): MediaMetadata {
  const file = basename(path, extname(path));
  const folders = dirname(path) === '.' ? [] : dirname(path).split('/');
  const dotted = !file.includes(' ');
  const name = spaced(file);
  if (/[- ]trailer$/i.test(name)) return { kind: 'other', title: tidy(name) || file };
  return (
    numberedEpisode(name, dotted, folders) ??
    datedEpisode(name, dotted, folders) ??
    seasonFolderEpisode(name, dotted, folders) ??
    movie(name, dotted, folders) ?? { kind: 'other', title: plainTitle(name, dotted) || file }
  );
}

/** S01E02, s1e2, S01E01E02, S01E01-E03, S2021E05, "S01 E02". */
const seasonAndEpisode =
  /(?:^|[^a-z0-9])s(\d{1,4})[ ._-]*ep?[ .]?(\d{1,4})(?:(?:[ ._-]*e|-)\d{1,4}(?![\dpi]))*(?![a-z0-9])/i;
/** 1x02, 1x02-03; not 1920x1080. */
const crossed = /(?:^|[^a-z0-9])(\d{1,2})x(\d{2,3})(?:[-x]\d{2,3})*(?![a-z0-9])/i;
const spelled =
  /(?:^|[^a-z0-9])(?:season|series|staffel|saison) ?(\d{1,4})[ ,-]*(?:episode|folge|ep) ?(\d{1,4})(?!\d)/i;
/** "Episode 5", "E05", "Folge 5": numbered, without a season unless its folder has one. */
const episodeOnly = /(?:^|[^a-z0-9])(?:episode|folge|ep|e)[ .]?(\d{1,4})(?![a-z0-9])/i;
/** "[Group] Show - 05 [1080p]", and its second version "05v2". */
const anime = /^\[[^\]]+\][ _]*(.+?) - (\d{1,4})(?:v\d)?(?= *(?:[[(]|$))/;

function numberedEpisode(
  name: string,
  dotted: boolean,
  folders: readonly string[],
): MediaMetadata | undefined {
  const full = seasonAndEpisode.exec(name) ?? crossed.exec(name) ?? spelled.exec(name);
  const folderSeason = seasonOf(folders.at(-1));
  if (full) {
    return episode(name, full, dotted, folders, { season: Number(full[1]), episode: Number(full[2]) });
  }
  const group = anime.exec(name);
  if (group) {
    const numbers = { season: folderSeason, episode: Number(group[2]) };
    return { ...episode(name, group, dotted, folders, numbers), ...showOf(group[1] ?? '', folders) };
  }
  const alone = episodeOnly.exec(name);
  if (!alone) return undefined;
  return episode(name, alone, dotted, folders, { season: folderSeason, episode: Number(alone[1]) });
}

const date = /(?:^|[^\d])((?:19|20)\d\d)[-. _](0[1-9]|1[0-2])[-. _](0[1-9]|[12]\d|3[01])(?!\d)/;

/** "Show 2021-03-04 Title". A date alone, outside of a season's folder, is no episode. */
function datedEpisode(name: string, dotted: boolean, folders: readonly string[]): MediaMetadata | undefined {
  const match = date.exec(name);
  if (!match) return undefined;
  const aired = `${match[1]}-${match[2]}-${match[3]}`;
  const inSeason = seasonOf(folders.at(-1)) !== undefined;
  if (tidy(name.slice(0, match.index)) === '' && !inSeason) {
    return { kind: 'other', title: plainTitle(name, dotted) || name, aired };
  }
  const { title, ...found } = episode(name, match, dotted, folders, {});
  const hasTitle = titleAfter(name, match, dotted) !== '';
  return { ...found, title: hasTitle ? title : aired, aired };
}

/** "Season 02/05 - Title". */
function seasonFolderEpisode(
  name: string,
  dotted: boolean,
  folders: readonly string[],
): MediaMetadata | undefined {
  const season = seasonOf(folders.at(-1));
  if (season === undefined) return undefined;
  const match = /^(\d{1,3})(?=$|[ .-])/.exec(name) ?? / - (\d{1,3})(?=$| )/.exec(name);
  return match ? episode(name, match, dotted, folders, { season, episode: Number(match[1]) }) : undefined;
}

function episode(
  name: string,
  match: RegExpExecArray,
  dotted: boolean,
  folders: readonly string[],
  numbers: { season?: number | undefined; episode?: number | undefined },
): MediaMetadata {
  const title = titleAfter(name, match, dotted);
  return {
    kind: 'episode',
    title: title || (numbers.episode === undefined ? tidy(name) || name : `Episode ${numbers.episode}`),
    ...showOf(name.slice(0, match.index), folders),
    ...(numbers.season !== undefined && { season: numbers.season }),
    ...(numbers.episode !== undefined && { episode: numbers.episode }),
  };
}

function titleAfter(name: string, match: RegExpExecArray, dotted: boolean): string {
  return plainTitle(name.slice(match.index + match[0].length), dotted);
}

/** One show in one folder keeps one name, however its files are spelled. */
function showOf(before: string, folders: readonly string[]): { show?: string } {
  const inSeason = seasonOf(folders.at(-1)) !== undefined;
  const folder = inSeason ? folders.at(-2) : folders.at(-1);
  const folderShow = folder === undefined ? '' : tidy(spaced(folder));
  const fileShow = tidy(before);
  const show = inSeason ? folderShow || fileShow : fileShow || folderShow;
  return show === '' ? {} : { show };
}

/** The season that a folder is named for; undefined for a folder of anything else. */
export function seasonOf(folder: string | undefined): number | undefined {
  if (folder === undefined) return undefined;
  if (/^specials?$/i.test(folder)) return 0;
  const match = /^(?:season|series|staffel|saison|s)[ ._-]*(\d{1,4})(?![a-z\d])/i.exec(folder);
  return match ? Number(match[1]) : undefined;
}

const bracketedYear = /[([]((?:19|20)\d\d)[)\]]/;

function movie(name: string, dotted: boolean, folders: readonly string[]): MediaMetadata | undefined {
  return bracketedMovie(name) ?? sceneMovie(name, dotted) ?? folderMovie(name, dotted, folders);
}

function bracketedMovie(name: string): MediaMetadata | undefined {
  const match = bracketedYear.exec(name);
  const title = match ? tidy(name.slice(0, match.index)) : '';
  return match && title ? { kind: 'movie', title, year: Number(match[1]) } : undefined;
}

/** "Movie 2020 1080p BluRay": the last year that stands before the first release word, or at the end. */
function sceneMovie(name: string, dotted: boolean): MediaMetadata | undefined {
  const head = tidy(name.slice(0, releaseStart(name, dotted)));
  const match = /^(.*\S) ((?:19\d\d|20[0-3]\d))$/.exec(head);
  const title = tidy(match?.[1] ?? '');
  return match && title ? { kind: 'movie', title, year: Number(match[2]) } : undefined;
}

/** "Movie (2020)/Movie.mkv" and "Movie (2020)/movie.mkv", but not whatever else lies there. */
function folderMovie(name: string, dotted: boolean, folders: readonly string[]): MediaMetadata | undefined {
  const found = bracketedMovie(spaced(folders.at(-1) ?? ''));
  if (found === undefined) return undefined;
  const own = plainTitle(name, dotted).toLowerCase();
  return own === 'movie' || own.startsWith(found.title.toLowerCase()) ? found : undefined;
}

/** Words that are part of no title. */
const releaseWord =
  /(?:^|[^a-z0-9])(?:(?:480|540|576|720|1080|1440|2160|4320)[pi]|4k|uhd|web-?dl|web-?rip|blu-?ray|bd-?rip|br-?rip|hd-?rip|dvd-?(?:rip|scr)|hdtv|pdtv|sdtv|xvid|divx|[xh][ .]?26[45]|hevc|remux|hdr10|10bit)(?![a-z0-9])/i;
/** Words that might be, so only in names without spaces, and as releases spell them. */
const shoutedWord =
  /(?:^|[^A-Za-z0-9])(?:WEB|DVD|BD|BDRemux|PROPER|REPACK|INTERNAL|LIMITED|EXTENDED|UNRATED|READNFO|MULT[Ii]|G(?:ERMAN|erman)|F(?:RENCH|rench)|DUBBED|Dubbed|DL|AMZN|NF|DSNP|HMAX|AAC2?|AC3|DTS|DDP?5)(?![A-Za-z0-9])/;

function releaseStart(name: string, dotted: boolean): number {
  const always = name.search(releaseWord);
  const shouted = dotted ? name.search(shoutedWord) : -1;
  const starts = [always, shouted].filter((at) => at >= 0);
  return starts.length > 0 ? Math.min(...starts) : name.length;
}

function plainTitle(text: string, dotted: boolean): string {
  return tidy(text.slice(0, releaseStart(text, dotted)));
}

/** Dots and underscores as spaces where they stand for spaces; "S.W.A.T" and "Mr. Robot" keep theirs. */
function spaced(name: string): string {
  const text = name.replaceAll('_', ' ');
  return name.includes(' ')
    ? text
    : text.replace(/(?<!(?:^|[^A-Za-z])[A-Z](?=\.[A-Z](?:[^A-Za-z]|$)))\./g, ' ');
}

/** Without tags in brackets, doubled spaces and separators at the ends. */
function tidy(text: string): string {
  return text
    .replace(/\{[^}]*\}|\[[^\]]*\]/g, ' ')
    .replace(/\(\s*\)/g, ' ')
    .replace(/\s+/g, ' ')
    .replace(/^[\s\-–—.,:]+|[\s\-–—,:([{]+$/g, '');
}
