import { isIP } from 'node:net';
import type { ArtworkKind } from '../library/artwork.ts';

export interface RequestOrigin {
  /** The setting; it wins over everything a request says. */
  publicUrl?: string | undefined;
  /** Believe X-Forwarded-Proto, -Host and -Prefix. */
  trustProxy: boolean;
  header: (name: string) => string | undefined;
  /** This server's own end of the connection. */
  local: { protocol: 'http' | 'https'; address?: string | undefined; port?: number | undefined };
}

/**
 * The address under which the client that asks can reach this server, without a slash at the end. It is part
 * of the key of whatever is cached with addresses in it.
 */
export function baseUrl({ publicUrl, trustProxy, header, local }: RequestOrigin): string {
  if (publicUrl !== undefined) return publicUrl.replace(/\/+$/, '');
  const forwarded = (name: string) => (trustProxy ? firstOf(header(name)) : undefined);
  const said = forwarded('x-forwarded-proto')?.toLowerCase();
  const protocol = said === 'http' || said === 'https' ? said : local.protocol;
  const prefix = pathPrefix(forwarded('x-forwarded-prefix'));
  for (const host of [forwarded('x-forwarded-host'), header('host')]) {
    const origin = host === undefined ? undefined : originOf(protocol, host);
    if (origin !== undefined) return origin + prefix;
  }
  return `${originOf(protocol, localHost(local)) ?? `${protocol}://localhost`}${prefix}`;
}

/** A channel's MPEG-TS. It has no query and never changes: Jellyfin and Kodi know a channel by it. */
export function streamUrl(base: string, channelId: string): string {
  return `${base}/iptv/channel/${channelId}.ts`;
}

export function guideUrl(base: string): string {
  return `${base}/iptv/xmltv.xml`;
}

/**
 * A picture of a media, below the base. The ending is that of the file: Kodi takes the type of a picture from its
 * address. Without a kind, it is the one that stands for the media.
 */
export function artworkPath(mediaId: string, ending: string, kind?: ArtworkKind): string {
  return `/iptv/artwork/${mediaId}${kind === undefined ? '' : `/${kind}`}${ending}`;
}

/** Proxies append to these headers: the first value is the client's side. */
function firstOf(value: string | undefined): string | undefined {
  const first = value?.split(',')[0]?.trim();
  return first === '' ? undefined : first;
}

const hostPattern = /^(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?\.?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;

/** Undefined for what is not a host, with or without a port. */
function originOf(protocol: 'http' | 'https', host: string): string | undefined {
  if (host.length > 260 || !hostPattern.test(host)) return undefined;
  const url = `${protocol}://${host}`;
  return URL.canParse(url) ? new URL(url).origin : undefined;
}

function pathPrefix(prefix: string | undefined): string {
  const path = prefix?.replace(/\/+$/, '') ?? '';
  const harmless = /^(?:\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$/.test(path);
  return harmless && path.length <= 200 ? path : '';
}

function localHost({ address, port }: RequestOrigin['local']): string {
  const plain = address?.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '') ?? '';
  const host = isIP(plain) === 0 ? 'localhost' : isIP(plain) === 6 ? `[${plain}]` : plain;
  return port === undefined ? host : `${host}:${port}`;
}
