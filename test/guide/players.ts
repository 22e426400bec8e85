// How the two strictest readers of a playlist and of a guide read them.
import { XMLParser } from 'fast-xml-parser';

export interface ReadChannel {
  name: string;
  number: string;
  id: string;
  tvgName: string;
  logo: string;
  group: string;
  url: string;
}

/** Jellyfin: key="value" anywhere in the line; the name is what follows the last comma of the rest. */
export function readAsJellyfin(playlist: string): ReadChannel[] {
  return entries(playlist).map(({ info, url }) => {
    const attributes = new Map<string, string>();
    let rest = info;
    for (const [whole, key = '', value = ''] of info.matchAll(/([a-z0-9\-_]+)="([^"]+)"/gi)) {
      attributes.set(key.toLowerCase(), value);
      rest = rest.replaceAll(whole, '');
    }
    const parts = rest.split(',').filter((part) => part !== '');
    const name = withoutLeadingNumber((parts.length > 1 ? parts.at(-1)! : '').trim());
    const get = (key: string) => attributes.get(key) ?? '';
    return {
      name: name || get('tvg-name') || get('tvg-id'),
      number: get('tvg-chno'),
      id: get('tvg-id') || get('channel-id'),
      tvgName: get('tvg-name'),
      logo: get('tvg-logo'),
      group: get('group-title'),
      url,
    };
  });
}

/** Kodi's markers, wherever in the line they stand. Those of the second list must never be found. */
const markers = ['tvg-id=', 'tvg-name=', 'tvg-chno=', 'tvg-logo=', 'group-title='];
const absent = ['catchup=', 'catchup-days=', 'catchup-source=', 'tvg-rec=', 'timeshift=', 'tvg-shift='];
const alsoAbsent = ['provider=', 'media=', 'media-dir=', 'media-size=', 'radio=', 'realtime="', 'ch-number='];

/** Kodi's pvr.iptvsimple: attributes are found by substring, the name follows the last quote and a comma. */
export function readAsKodi(playlist: string): (ReadChannel & { surprises: string[] })[] {
  return entries(playlist).map(({ info, url }) => {
    const behindQuote = info.slice(info.lastIndexOf('"') + 1);
    const comma = behindQuote.trim().startsWith(',')
      ? info.lastIndexOf('"') + 1 + behindQuote.indexOf(',')
      : info.lastIndexOf(',');
    const line = info.slice(0, comma);
    const [id = '', tvgName = '', number = '', logo = '', group = ''] = markers.map((marker) =>
      markerValue(line, marker),
    );
    const surprises = [...absent, ...alsoAbsent].filter((marker) => info.includes(marker));
    // "channel-number=" is ours, and Kodi's "ch-number=" is not a part of it.
    return { name: info.slice(comma + 1).trim(), number, id, tvgName, logo, group, url, surprises };
  });
}

function markerValue(line: string, marker: string): string {
  const start = line.indexOf(marker);
  if (start === -1) return '';
  const from = start + marker.length;
  const quoted = line[from] === '"';
  const end = line.indexOf(quoted ? '"' : ' ', from + 1);
  return line.slice(quoted ? from + 1 : from, end === -1 ? line.length : end);
}

/** As .NET reads a number: what stands before the first ordinary space, without dots around it. */
function withoutLeadingNumber(name: string): string {
  const space = name.indexOf(' ');
  const first = name.slice(0, Math.max(space, 0)).replace(/^[ .]+|[ .]+$/g, '');
  const isNumber = /^[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|infinity|∞|nan)$/i.test(first);
  return isNumber ? name.slice(space + 1).replace(/^[ -]+|[ -]+$/g, '') : name;
}

function entries(playlist: string): { info: string; url: string }[] {
  const found: { info: string; url: string }[] = [];
  let info: string | undefined;
  for (const line of playlist.split(/\r\n|[\n\r]/).map((each) => each.trim())) {
    if (line.startsWith('#EXTINF:')) info = line.slice('#EXTINF:'.length);
    else if (info !== undefined && line !== '' && !line.startsWith('#')) {
      found.push({ info, url: line });
      info = undefined;
    }
  }
  return found;
}

/** A programme as a player understands it. Times are epoch milliseconds. */
export interface ReadProgramme {
  channel: string;
  start: number;
  stop: number;
  title: string;
  subTitle: string;
  description: string;
  season: number | undefined;
  episode: number | undefined;
  icon: string;
  isMovie: boolean;
  isSeries: boolean;
  isRepeat: boolean;
}

interface XmlText {
  '#text'?: string;
  system?: string;
}

interface XmlProgramme {
  start?: string;
  stop?: string;
  channel?: string;
  title?: XmlText[];
  'sub-title'?: XmlText[];
  desc?: XmlText[];
  category?: XmlText[];
  icon?: { src: string }[];
  'episode-num'?: XmlText[];
  'previously-shown'?: unknown[];
  new?: unknown[];
}

const guideParser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  alwaysCreateTextNode: true,
  isArray: (_, path, __, isAttribute) =>
    !isAttribute && /^tv\.(channel|programme)$|^tv\.(channel|programme)\./.test(String(path)),
});

interface XmlGuide {
  tv: { channel?: { id: string; 'display-name': XmlText[] }[]; programme?: XmlProgramme[] };
}

/** Jellyfin: an offset counts only when it has five characters, and what follows it spoils the whole time. */
export function readGuideAsJellyfin(document: string): ReadProgramme[] {
  const { tv } = guideParser.parse(document) as XmlGuide;
  return (tv.programme ?? []).map((programme) => {
    const { season, episode } = jellyfinNumbers(programme['episode-num'] ?? []);
    const categories = (programme.category ?? []).map((each) => each['#text']?.toLowerCase());
    return {
      ...common(programme),
      start: jellyfinTime(programme.start ?? ''),
      stop: jellyfinTime(programme.stop ?? ''),
      season,
      episode,
      isMovie: categories.includes('movie'),
      isSeries: episode !== undefined,
      isRepeat: programme['previously-shown'] !== undefined && programme.new === undefined,
    };
  });
}

/** Kodi's pvr.iptvsimple: without a stop there is no programme, and a start is an id within its channel. */
export function readGuideAsKodi(document: string): ReadProgramme[] {
  const { tv } = guideParser.parse(document) as XmlGuide;
  const found = new Map<string, ReadProgramme>();
  for (const programme of tv.programme ?? []) {
    const start = kodiTime(programme.start ?? '');
    const stop = kodiTime(programme.stop ?? '');
    if (start === undefined || stop === undefined) continue;
    const { season, episode } = kodiNumbers(programme['episode-num'] ?? []);
    const categories = (programme.category ?? []).map((each) => each['#text']);
    found.set(`${programme.channel} ${start}`, {
      ...common(programme),
      ...{ start, stop, season, episode },
      isMovie: categories.includes('Movie'),
      isSeries: season !== undefined || episode !== undefined,
      isRepeat: programme.new === undefined,
    });
  }
  return [...found.values()];
}

/** The channels of a guide: id and names. */
export function readGuideChannels(document: string): { id: string; names: string[] }[] {
  const { tv } = guideParser.parse(document) as XmlGuide;
  return (tv.channel ?? []).map((channel) => ({
    id: channel.id,
    names: channel['display-name'].map((name) => name['#text'] ?? ''),
  }));
}

function common(programme: XmlProgramme) {
  return {
    channel: programme.channel ?? '',
    title: programme.title?.[0]?.['#text'] ?? '',
    subTitle: programme['sub-title']?.[0]?.['#text'] ?? '',
    description: programme.desc?.[0]?.['#text'] ?? '',
    icon: programme.icon?.[0]?.src ?? '',
  };
}

function jellyfinTime(text: string): number {
  const [, digits = '', offset = ''] = /^(\d{0,14}) ?(.*)$/.exec(text) ?? [];
  if (digits.length !== 14 || /[a-z]/i.test(offset)) return Number.NaN;
  const utc = utcOf(digits);
  return offset.length === 5 ? utc - offsetMs(offset) : utc;
}

function kodiTime(text: string): number | undefined {
  const match = /^(\d{14}) ([-+]\d{4})/.exec(text);
  return match === null ? undefined : utcOf(match[1]!) - offsetMs(match[2]!);
}

function utcOf(digits: string): number {
  const part = (from: number, to: number) => Number(digits.slice(from, to));
  return Date.UTC(part(0, 4), part(4, 6) - 1, part(6, 8), part(8, 10), part(10, 12), part(12, 14));
}

function offsetMs(offset: string): number {
  const sign = offset.startsWith('-') ? -1 : 1;
  return sign * (Number(offset.slice(1, 3)) * 60 + Number(offset.slice(3, 5))) * 60_000;
}

/** Jellyfin does not look at "onscreen". */
function jellyfinNumbers(numbers: readonly XmlText[]) {
  const text = numbers.find(({ system }) => system === 'xmltv_ns')?.['#text'];
  const [season = '', episode = ''] = (text ?? '').split('.').map((part) => part.split('/')[0]);
  return { season: plusOne(season), episode: plusOne(episode) };
}

function plusOne(text: string | undefined): number | undefined {
  return text === undefined || text.trim() === '' ? undefined : Number(text) + 1;
}

/** Kodi scans whole numbers with dots between them, and takes a part such as "0/1" for more of the episode. */
function kodiNumbers(numbers: readonly XmlText[]) {
  for (const { system, '#text': text = '' } of numbers) {
    if (system === 'xmltv_ns') {
      const [, season, episode, part] = /^(\d+)\.(\d+)\.(\d+)?/.exec(text) ?? [];
      if (part !== undefined) return { season: undefined, episode: undefined };
      if (episode !== undefined) return { season: Number(season) + 1, episode: Number(episode) + 1 };
    }
    const [, season, episode] = /^(?:S(\d+))?E(\d+)/i.exec(text) ?? [];
    if (system === 'onscreen' && episode !== undefined) {
      return { season: season === undefined ? undefined : Number(season), episode: Number(episode) };
    }
  }
  return { season: undefined, episode: undefined };
}
