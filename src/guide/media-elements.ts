import { basename, extname } from 'node:path/posix';
import { escapeUTF8 } from 'entities';
import { type ArtworkKind, iconOf } from '../library/artwork.ts';
import type { Credits } from '../library/metadata.ts';
import type { EpochMs } from '../schedule/types.ts';
import { plainText, shortened } from './plain-text.ts';
import type { GuideMedia, Programme } from './programmes.ts';
import { artworkPath } from './urls.ts';

export interface MediaOptions {
  /** The server's address, fit for XML; artwork is below it. */
  base: string;
  /** Media that joined the library within so many days before they first air are new; 0 marks none. */
  newDays: number;
  episodeIcon: 'poster' | 'still';
}

interface Written extends MediaOptions {
  lang: string;
  fallbackTitle: string;
}

const titleLimit = 300;
const descriptionLimit = 999;
/** Of those who are named, the guide has the first. */
const limits = { directors: 5, actors: 10, writers: 5 };

/** What is inside a programme's element, in the order of the DTD. */
export function mediaElements(programme: Programme, options: Written): string {
  const { media, title } = programme;
  const [first] = media;
  if (first === undefined) return titleElement(title ?? '', options);
  return title !== undefined && media.length > 1
    ? blockElements(programme, options)
    : singleElements(programme, first, options);
}

function singleElements({ title, start, lengthMs }: Programme, media: GuideMedia, options: Written): string {
  const { lang } = options;
  const shown = title === undefined ? titleOf(media) : plainText(title);
  const subTitle = title === undefined ? episodeTitleOf(media) : labelOf(media);
  const description = shortened(plainText(media.plot ?? ''), descriptionLimit);
  const aired = dateOf(media.aired);
  const rating = shortened(plainText(media.rating ?? ''), 100);
  return [
    titleElement(shown, options),
    subTitle === '' || subTitle === shown
      ? ''
      : element('sub-title', shortened(subTitle, titleLimit), ` ${lang}`),
    description === '' ? '' : element('desc', description, ` ${lang}`),
    creditsElement(media.credits),
    dateElement(aired, media.year),
    ...categoriesOf(media).map((category) => element('category', category, ` ${lang}`)),
    lengthElement(lengthMs),
    iconElement(media, options),
    ...episodeNumbers(media),
    shownBefore(media, start, aired, options.newDays),
    rating === '' ? '' : `<rating${ratingSystem(rating)}>${element('value', rating)}</rating>`,
    ...imageElements(media, options),
  ].join('');
}

/** Several items under the title of their slot: which ones they are is its description. */
function blockElements({ title = '', media, lengthMs }: Programme, options: Written): string {
  const labels = [...new Set(media.map(labelOf))].join(' · ');
  const shared = categoriesOf(media[0]!).filter((category) =>
    media.every((each) => categoriesOf(each).includes(category)),
  );
  return [
    titleElement(title, options),
    element('desc', shortened(labels, descriptionLimit), ` ${options.lang}`),
    ...shared.map((category) => element('category', category, ` ${options.lang}`)),
    lengthElement(lengthMs),
    '<previously-shown/>',
  ].join('');
}

function titleElement(title: string, { lang, fallbackTitle }: Written): string {
  return element('title', shortened(plainText(title), titleLimit) || fallbackTitle, ` ${lang}`);
}

function titleOf(media: GuideMedia): string {
  const show = media.kind === 'episode' ? plainText(media.show ?? '') : '';
  return show || plainText(media.title) || plainText(basename(media.path, extname(media.path)));
}

function episodeTitleOf(media: GuideMedia): string {
  return media.kind === 'episode' ? plainText(media.title) : '';
}

/** Show and episode, or the one title that there is. */
function labelOf(media: GuideMedia): string {
  const title = titleOf(media);
  const episode = episodeTitleOf(media);
  return episode === '' || episode === title ? title : `${title}: ${episode}`;
}

function creditsElement(credits: Credits | null): string {
  if (credits === null) return '';
  const { directors = [], actors = [], writers = [] } = credits;
  const people = [
    ...directors.slice(0, limits.directors).map((name) => person('director', name)),
    ...actors.slice(0, limits.actors).map(({ name, role }) => person('actor', name, role)),
    ...writers.slice(0, limits.writers).map((name) => person('writer', name)),
  ].join('');
  return people === '' ? '' : `<credits>${people}</credits>`;
}

function person(kind: string, name: string, role?: string): string {
  const named = shortened(plainText(name), 100);
  const played = shortened(plainText(role ?? ''), 100);
  if (named === '') return '';
  return element(kind, named, played === '' ? '' : ` role="${escapeUTF8(played)}"`);
}

function dateElement(aired: string | undefined, year: number | null): string {
  const date = aired ?? (year !== null && year >= 1000 && year <= 9999 ? `${year}` : undefined);
  return date === undefined ? '' : element('date', date);
}

/** YYYYMMDD of YYYY-MM-DD. */
function dateOf(aired: string | null): string | undefined {
  return aired !== null && /^\d{4}-\d{2}-\d{2}$/.test(aired) ? aired.replaceAll('-', '') : undefined;
}

/** Players tell films from series by the first of these. */
function categoriesOf({ kind, genres }: GuideMedia): string[] {
  const first = kind === 'movie' ? ['Movie'] : kind === 'episode' ? ['Series'] : [];
  const all = [...first, ...genres.map((genre) => shortened(plainText(genre), 100))];
  return [...new Set(all)].filter((category) => category !== '');
}

function lengthElement(lengthMs: number): string {
  if (lengthMs < 1000) return '';
  return lengthMs < 60_000
    ? `<length units="seconds">${Math.round(lengthMs / 1000)}</length>`
    : `<length units="minutes">${Math.round(lengthMs / 60_000)}</length>`;
}

/** Readers take the first icon that there is, so there is one. */
function iconElement(media: GuideMedia, options: Written): string {
  const kind = media.artwork === null ? undefined : iconOf(media.kind, media.artwork, options.episodeIcon);
  return kind === undefined ? '' : `<icon src="${address(media, kind, options)}"/>`;
}

function imageElements(media: GuideMedia, options: Written): string[] {
  const image = (kind: ArtworkKind, orient: 'P' | 'L') =>
    media.artwork?.[kind] === undefined
      ? ''
      : `<image type="${kind}" orient="${orient}" size="3">${address(media, kind, options)}</image>`;
  return [image('poster', 'P'), image('still', 'L'), image('backdrop', 'L')];
}

function address(media: GuideMedia, kind: ArtworkKind, { base }: Written): string {
  const ending = extname(media.artwork?.[kind] ?? '').toLowerCase();
  return base + artworkPath(media.id, ending, kind);
}

/**
 * xmltv_ns counts from zero. Its third part stays empty: Kodi reads the usual "0/1" as a part of the episode.
 * Season 0 and episode 0 have no place in it, and Plex takes -1 for season 2.
 */
function episodeNumbers({ season, episode }: GuideMedia): string[] {
  if (episode === null) return [];
  const onscreen = `${season === null ? '' : `S${twoDigits(season)}`}E${twoDigits(episode)}`;
  const elements = [`<episode-num system="onscreen">${onscreen}</episode-num>`];
  if (episode >= 1 && (season === null || season >= 1)) {
    const numbers = `${season === null ? '' : season - 1}.${episode - 1}.`;
    elements.push(`<episode-num system="xmltv_ns">${numbers}</episode-num>`);
  }
  return elements;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

/** What comes from a library has been shown before, unless somebody wants what has just joined it to count as new. */
function shownBefore(media: GuideMedia, start: EpochMs, aired: string | undefined, newDays: number): string {
  const earlier =
    media.firstAirsAt !== undefined && media.firstAirsAt < start - 1000 ? media.firstAirsAt : undefined;
  if (newDays > 0 && earlier === undefined && media.addedAt > start - newDays * 86_400_000) return '<new/>';
  const date =
    aired ??
    (earlier === undefined ? undefined : new Date(earlier).toISOString().slice(0, 10).replaceAll('-', ''));
  return date === undefined ? '<previously-shown/>' : `<previously-shown start="${date}"/>`;
}

function ratingSystem(rating: string): string {
  if (/^(?:G|PG|PG-13|R|NC-17)$/.test(rating)) return ' system="MPAA"';
  return /^TV-(?:Y|Y7|Y7-FV|G|PG|14|MA)$/.test(rating) ? ' system="VCHIP"' : '';
}

/** The text has been through plainText. */
function element(name: string, text: string, attributes = ''): string {
  return `<${name}${attributes}>${escapeUTF8(text)}</${name}>`;
}
