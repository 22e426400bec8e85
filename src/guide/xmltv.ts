import { escapeUTF8 } from 'entities';
import type { EpochMs } from '../schedule/types.ts';
import type { GuideChannel } from './guide-channel.ts';
import { type MediaOptions, mediaElements } from './media-elements.ts';
import { plainText, shortened, webAddress } from './plain-text.ts';
import type { Programme } from './programmes.ts';

/** What stands before the first programme: all channels come before all programmes, as the DTD wants it. */
export function documentHead(channels: readonly GuideChannel[]): string {
  const head =
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE tv SYSTEM "xmltv.dtd">\n<tv generator-info-name="aircheck">\n';
  return head + channels.map(channelElement).join('');
}

/** What stands after the last programme. */
export const documentTail = '</tv>\n';

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

/** The line of a programme, in the order of the DTD. Throws RangeError when a time cannot be written. */
export function programmeElement(
  channel: GuideChannel,
  programme: Programme,
  options: MediaOptions & { language: string },
): string {
  const { start, stop } = programme;
  const lang = `lang="${xml(options.language)}"`;
  const name = channelName(channel);
  const body =
    programme.kind === 'off-air'
      ? `<title ${lang}>${xml(plainText(channel.offlineTitle ?? '') || name)}</title>`
      : mediaElements(programme, { ...options, lang, fallbackTitle: name });
  const times = `start="${xmltvTime(start)}" stop="${xmltvTime(stop)}"`;
  return `<programme ${times} channel="${xml(channel.guideId)}">${body}</programme>\n`;
}

/** `YYYYMMDDhhmmss +0000`: the one form that every reader takes. Throws RangeError outside of the years to 9999. */
export function xmltvTime(at: EpochMs): string {
  const digits = new Date(at).toISOString().replace(/[-:T]|\..*/g, '');
  if (digits.length !== 14) throw new RangeError(`The year of ${digits} has more than four digits.`);
  return `${digits} +0000`;
}

/** For content and for attributes in double quotes. */
export function xml(text: string): string {
  return escapeUTF8(plainText(text));
}

function channelName({ name, number }: GuideChannel): string {
  return shortened(plainText(name), 200) || `Channel ${number}`;
}
