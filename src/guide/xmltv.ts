import { basename, extname } from 'node:path/posix';
import { escapeUTF8 } from 'entities';
import type { EpochMs } from '../schedule/types.ts';
import type { GuideChannel } from './guide-channel.ts';
import { plainText, shortened, webAddress } from './plain-text.ts';
import type { GuideMedia, Programme } from './programmes.ts';

const descriptionLimit = 999;

/**
 * The document, piece by piece: all channels come before all programmes, as the DTD wants it.
 *
 * @param programmesOf the programmes of a channel as `programmeElements` writes them
 */
export async function* xmltvDocument(
  channels: readonly GuideChannel[],
  programmesOf: (channel: GuideChannel) => Promise<string>,
): AsyncGenerator<string> {
  yield '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE tv SYSTEM "xmltv.dtd">\n';
  yield '<tv generator-info-name="aircheck">\n';
  for (const channel of channels) yield channelElement(channel);
  for (const channel of channels) yield await programmesOf(channel);
  yield '</tv>\n';
}

/**
 * The first name counts as the canonical one; Plex shows it when channels are matched by hand, so it has number
 * and name. Jellyfin needs one that is only the number, and Kodi one that is only the name.
 */
export function channelElement(channel: GuideChannel): string {
  const name = channelName(channel);
  const names = new Set([`${channel.number} ${name}`, channel.number, name]);
  const logo = webAddress(channel.logoUrl);
  return [
    `<channel id="${xml(channel.guideId)}">`,
    ...[...names].map((each) => `<display-name>${xml(each)}</display-name>`),
    logo === undefined ? '' : `<icon src="${xml(logo)}"/>`,
    '</channel>\n',
  ].join('');
}

/** A line for each programme. Throws RangeError when a time cannot be written. */
export function programmeElements(
  channel: GuideChannel,
  programmes: readonly Programme[],
  language: string,
): string {
  return programmes.map((programme) => programmeElement(channel, programme, language)).join('');
}

/** `YYYYMMDDhhmmss +0000`: the one form that every reader takes. Throws RangeError outside of the years to 9999. */
export function xmltvTime(at: EpochMs): string {
  const digits = new Date(at).toISOString().replace(/[-:T]|\..*/g, '');
  if (digits.length !== 14) throw new RangeError(`The year of ${digits} has more than four digits.`);
  return `${digits} +0000`;
}

function programmeElement(channel: GuideChannel, programme: Programme, language: string): string {
  const { start, stop, media, lengthMs } = programme;
  const lang = `lang="${xml(language)}"`;
  const body =
    media === undefined
      ? `<title ${lang}>${xml(channelName(channel))}</title>`
      : mediaElements(media, lengthMs, channel, lang);
  const times = `start="${xmltvTime(start)}" stop="${xmltvTime(stop)}"`;
  return `<programme ${times} channel="${xml(channel.guideId)}">${body}</programme>\n`;
}

/** In the order of the DTD. */
function mediaElements(media: GuideMedia, lengthMs: number, channel: GuideChannel, lang: string): string {
  const title = titleOf(media) || channelName(channel);
  const subTitle = media.kind === 'episode' ? plainText(media.title) : '';
  const description = shortened(plainText(media.plot ?? ''), descriptionLimit);
  const aired = dateOf(media.aired);
  const rating = plainText(media.rating ?? '');
  return [
    `<title ${lang}>${xml(title)}</title>`,
    subTitle === '' || subTitle === title ? '' : `<sub-title ${lang}>${xml(subTitle)}</sub-title>`,
    description === '' ? '' : `<desc ${lang}>${xml(description)}</desc>`,
    dateElement(aired, media.year),
    ...categoriesOf(media).map((category) => `<category ${lang}>${xml(category)}</category>`),
    lengthElement(lengthMs),
    ...episodeNumbers(media),
    aired === undefined ? '<previously-shown/>' : `<previously-shown start="${aired}"/>`,
    rating === '' ? '' : `<rating${ratingSystem(rating)}><value>${xml(rating)}</value></rating>`,
  ].join('');
}

function titleOf(media: GuideMedia): string {
  const show = media.kind === 'episode' ? plainText(media.show ?? '') : '';
  return show || plainText(media.title) || plainText(basename(media.path, extname(media.path)));
}

function channelName({ name, number }: GuideChannel): string {
  return plainText(name) || `Channel ${number}`;
}

function dateElement(aired: string | undefined, year: number | null): string {
  const date = aired ?? (year !== null && year >= 1000 && year <= 9999 ? `${year}` : undefined);
  return date === undefined ? '' : `<date>${date}</date>`;
}

/** YYYYMMDD of YYYY-MM-DD. */
function dateOf(aired: string | null): string | undefined {
  return aired !== null && /^\d{4}-\d{2}-\d{2}$/.test(aired) ? aired.replaceAll('-', '') : undefined;
}

/** Players tell films from series by the first of these. */
function categoriesOf({ kind, genres }: GuideMedia): string[] {
  const first = kind === 'movie' ? ['Movie'] : kind === 'episode' ? ['Series'] : [];
  return [...new Set([...first, ...genres.map(plainText)])].filter((category) => category !== '');
}

function lengthElement(lengthMs: number): string {
  if (lengthMs < 1000) return '';
  return lengthMs < 60_000
    ? `<length units="seconds">${Math.round(lengthMs / 1000)}</length>`
    : `<length units="minutes">${Math.round(lengthMs / 60_000)}</length>`;
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

function ratingSystem(rating: string): string {
  if (/^(?:G|PG|PG-13|R|NC-17)$/.test(rating)) return ' system="MPAA"';
  return /^TV-(?:Y|Y7|Y7-FV|G|PG|14|MA)$/.test(rating) ? ' system="VCHIP"' : '';
}

/** For content and for attributes in double quotes. */
function xml(text: string): string {
  return escapeUTF8(plainText(text));
}
