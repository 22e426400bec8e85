// How the two strictest readers of a playlist read it.

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
