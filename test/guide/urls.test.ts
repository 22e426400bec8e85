import { describe, expect, it } from 'vitest';
import { baseUrl, guideUrl, type RequestOrigin, streamUrl } from '../../src/guide/urls.ts';

type Case = {
  what: string;
  headers?: Record<string, string>;
  trustProxy?: boolean;
  publicUrl?: string;
  local?: RequestOrigin['local'];
  expected: string;
};

const proxied = {
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'tv.example.org',
  'x-forwarded-prefix': '/air/',
  host: 'aircheck:8880',
};
const forwardedHost = (host: string) => ({ 'x-forwarded-host': host, host: 'aircheck:8880' });

const cases: Case[] = [
  { what: 'the Host header', headers: { host: '192.168.1.5:8880' }, expected: 'http://192.168.1.5:8880' },
  { what: 'a name with an underscore', headers: { host: 'my_box:8880' }, expected: 'http://my_box:8880' },
  {
    what: 'one spelling of a host',
    headers: { host: 'TV.Example.org:80' },
    expected: 'http://tv.example.org',
  },
  { what: 'an IPv6 Host', headers: { host: '[fd00::1]:8880' }, expected: 'http://[fd00::1]:8880' },
  {
    what: 'the public URL before everything',
    headers: proxied,
    trustProxy: true,
    publicUrl: 'https://tv.example.com/base/',
    expected: 'https://tv.example.com/base',
  },
  { what: 'a trusted proxy', headers: proxied, trustProxy: true, expected: 'https://tv.example.org/air' },
  { what: 'no untrusted proxy', headers: proxied, expected: 'http://aircheck:8880' },
  {
    what: 'the first of several proxies',
    headers: {
      'x-forwarded-proto': 'https, http',
      'x-forwarded-host': 'a.example.org, b.example.org',
      'x-forwarded-prefix': '/one, /two',
    },
    trustProxy: true,
    expected: 'https://a.example.org/one',
  },
  {
    what: 'the Host header where the proxy names no host',
    headers: { 'x-forwarded-proto': 'https', host: 'tv.example.org' },
    trustProxy: true,
    expected: 'https://tv.example.org',
  },
  {
    what: 'the Host header where the forwarded one is malformed',
    headers: forwardedHost('tv.example.org/evil'),
    trustProxy: true,
    expected: 'http://aircheck:8880',
  },
  {
    what: 'no scheme but http and https',
    headers: { 'x-forwarded-proto': 'javascript', host: 'tv' },
    trustProxy: true,
    expected: 'http://tv',
  },
  {
    what: 'no prefix that leaves its place',
    headers: { 'x-forwarded-prefix': '/a/../b', host: 'tv' },
    trustProxy: true,
    expected: 'http://tv',
  },
  {
    what: 'no prefix that is a host',
    headers: { 'x-forwarded-prefix': '//evil.example', host: 'tv' },
    trustProxy: true,
    expected: 'http://tv',
  },
  ...['evil"onload=', 'user@evil', 'a b', 'a\nb', 'evil/path', 'h:99999', 'h:', '', '[::1', '1.2.3.999'].map(
    (host): Case => ({
      what: `the socket's address instead of "${host}"`,
      headers: { host },
      expected: 'http://10.0.0.7:8880',
    }),
  ),
  {
    what: "the socket's address without a Host header",
    local: { protocol: 'http', address: '::ffff:10.0.0.9', port: 80 },
    expected: 'http://10.0.0.9',
  },
  {
    what: "the socket's IPv6 address without its zone",
    local: { protocol: 'https', address: 'fe80::1%eth0', port: 8880 },
    expected: 'https://[fe80::1]:8880',
  },
  { what: 'localhost when nothing is known', local: { protocol: 'http' }, expected: 'http://localhost' },
];

describe('the base of all addresses', () => {
  it.each(cases)('is $what', ({ headers = {}, trustProxy = false, publicUrl, local, expected }) => {
    const base = baseUrl({
      publicUrl,
      trustProxy,
      header: (name) => headers[name],
      local: local ?? { protocol: 'http', address: '10.0.0.7', port: 8880 },
    });
    expect(base).toBe(expected);
  });

  it('is what streams and guide are below', () => {
    expect(streamUrl('http://tv', 'abc')).toBe('http://tv/iptv/channel/abc.ts');
    expect(guideUrl('http://tv/air')).toBe('http://tv/air/iptv/xmltv.xml');
  });
});
