import { compareChannelNumbers } from './channel-number.ts';
import type { GuideChannel } from './guide-channel.ts';
import { plainText, webAddress } from './plain-text.ts';
import { guideUrl, streamUrl } from './urls.ts';

/** The enabled channels as M3U, in the order of their numbers. */
export function renderPlaylist(channels: readonly GuideChannel[], base: string): string {
  const guide = addressValue(guideUrl(base));
  const head = `#EXTM3U x-tvg-url="${guide}" url-tvg="${guide}"\n`;
  const shown = channels.filter((channel) => channel.enabled);
  shown.sort((a, b) => compareChannelNumbers(a.number, b.number));
  return head + shown.map((channel) => entry(channel, base)).join('');
}

function entry(channel: GuideChannel, base: string): string {
  const id = textValue(channel.guideId);
  const number = textValue(channel.number);
  const name = textValue(channel.name) || number;
  const logo = webAddress(channel.logoUrl);
  const { video, audio } = channel.profile.spec;
  const attributes: [key: string, value: string][] = [
    ['tvg-id', id],
    ['channel-id', id],
    ['CUID', id],
    ['tvg-chno', number],
    ['channel-number', number],
    ['tvg-name', name],
    ['tvg-logo', logo === undefined ? '' : addressValue(logo)],
    ['group-title', textValue(channel.group)],
    ['tvc-stream-vcodec', video.codec],
    ['tvc-stream-acodec', audio.codec],
    // Keeps TVHeadend from tuning every channel in search of a guide inside the stream.
    ['tvh-epg', '0'],
  ];
  const written = attributes.filter(([, value]) => value !== '').map(([key, value]) => `${key}="${value}"`);
  return `#EXTINF:-1 ${written.join(' ')},${shownName(name)}\n${streamUrl(base, channel.id)}\n`;
}

/**
 * Text between the quotes of an attribute. No player knows an escape for a quote, so it becomes an apostrophe;
 * and Kodi finds attributes by searching the whole line for `catchup=` and the like, so no word touches its
 * equals sign.
 */
function textValue(text: string): string {
  return plainText(text)
    .replaceAll('"', "'")
    .replace(/(?<=[\w-])=/g, ' =');
}

/**
 * The name behind the last comma. Jellyfin reads from the last comma of the line, so it has none of its own.
 * It also takes a number and a space in front for a channel number and drops both ("24 Hours"), but only an
 * ordinary space.
 */
function shownName(name: string): string {
  const text = name.replaceAll(',', ' ').replace(/ +/g, ' ').trim();
  return text.replace(/^(\.*[-+]?\d[.\d]*(?:e[-+]?\d+)?\.*|[-+]?(?:infinity|∞|nan)) /i, '$1\u00a0');
}

/** What Kodi searches the line for. */
const marker =
  /(?:x-tvg-url|url-tvg|tvg-(?:id|name|logo|shift|chno|rec)|ch-number|group-title|catchup(?:-[a-z]+)?|timeshift|provider(?:-[a-z]+)?|media(?:-[a-z]+)?|realtime|radio)=/gi;

/** An address between quotes: the same address, in which Kodi cannot find an attribute. */
function addressValue(url: string): string {
  return url
    .replaceAll('"', '%22')
    .replace(marker, (found) => `${found.slice(0, -2)}%${found.charCodeAt(found.length - 2).toString(16)}=`);
}
