import { gzipSync } from 'node:zlib';

const unknownId = '00000000-0000-4000-8000-000000000000';

/** What stands where an id should be, as it is in a request line. */
export const garbageIds: readonly string[] = [
  ...[
    '',
    '%20',
    '%00',
    'x%00y',
    '%0A',
    '%0D%0AX-Injected:%20yes',
    '%',
    '%zz',
    '%25%30%30',
    '%FF%FE',
    '%ED%A0%80',
  ],
  ...[
    '.',
    '..',
    '../',
    '../../../../etc/passwd',
    '..%2f..%2fetc%2fpasswd',
    '%2e%2e%2f%2e%2e',
    '%5c..%5c',
    '%2F',
    '//',
  ],
  ...['nonsense', 'null', 'undefined', 'NaN', '-1', '0', '1e308', '99999999999999999999', '0x10', 'true'],
  ...[
    '__proto__',
    'constructor',
    'toString',
    ':id',
    '{id}',
    '*',
    '[]',
    '$where',
    ';a=b',
    '?',
    '#',
    '&',
    '=',
    '+',
    '@',
  ],
  ...[
    "'%20OR%201=1--",
    "1';%20DROP%20TABLE%20channels;--",
    '%27',
    '%22',
    '%3Cscript%3E',
    '%7B%7B7*7%7D%7D',
    '%60id%60',
  ],
  ...['%C3%A9%F0%9F%8E%AC', '%E2%80%AE', '\u00e9\u00ff', 'a b', 'a\tb', 'a\\b', '|', '"', '<', '`', '^'],
  ...['a'.repeat(255), 'a'.repeat(8_000), '%41'.repeat(2_000), '/'.repeat(500), '../'.repeat(500)],
  ...[
    unknownId,
    '00000000-0000-0000-0000-000000000000',
    unknownId.toUpperCase(),
    `{${unknownId}}`,
    `${unknownId}x`,
  ],
];

export const garbageQueries: readonly string[] = [
  ...[
    '?',
    '??',
    '?&&&',
    '?=',
    '?%',
    '?%00',
    '?text=%00',
    '?text=%ED%A0%80',
    '?text=%5C',
    '?text=%25%25_',
    '?text=',
  ],
  ...[
    '?limit=',
    '?limit=-1',
    '?limit=0',
    '?limit=501',
    '?limit=1e400',
    '?limit=NaN',
    '?limit=1&limit=2',
    '?limit[]=1',
  ],
  ...[
    '?offset=-1',
    '?offset=99999999999999999999',
    '?offset=1.5',
    '?offset=0x10',
    '?limit=500&offset=10000000',
  ],
  ...['?from=0000-01-01T00:00:00Z', '?from=0001-01-01T00:00:00%2B14:00', '?from=9999-12-31T23:59:59-14:00'],
  ...[
    '?from=1970-01-01T00:00:00Z&to=9998-12-31T00:00:00Z',
    '?from=2026-02-30T00:00:00Z',
    '?from=now',
    '?to=x',
  ],
  ...[
    '?since=-1',
    '?since=x',
    '?until=%00',
    '?cursor=x',
    '?level=loud',
    '?channel=%27',
    '?dry_run=maybe',
    '?at=x',
  ],
  ...[
    '?sort=;DROP',
    '?sort=-',
    '?library=x',
    `?library=${unknownId}`,
    '?state=%27',
    '?kind=',
    '?show=%E2%80%AE',
  ],
  ...[
    '?__proto__=1',
    '?constructor[prototype][x]=1',
    '?a=b#c',
    `?text=${'x'.repeat(10_000)}`,
    `?${'a&'.repeat(3_000)}`,
  ],
];

export interface GarbageBody {
  body: Buffer | string;
  headers?: readonly (readonly [string, string])[];
}

const asJson = [['Content-Type', 'application/json']] as const;
const typed = (type: string) => [['Content-Type', type]] as const;

/** None of them is fit for any route that wants a body. */
export const garbageBodies: readonly GarbageBody[] = [
  ...[
    '',
    ' ',
    '{',
    '{"name":',
    '"',
    'null',
    'true',
    '0',
    '1e400',
    '-0',
    '""',
    '[]',
    '[[]]',
    '[{}]',
    'nonsense',
  ].map((body) => ({ body, headers: asJson })),
  ...[
    '{"__proto__":{"admin":true}}',
    '{"constructor":{"prototype":{}}}',
    '{"name":null,"path":null,"kind":null}',
    '{"name":"\\u0000","kind":"manual","path":"/tmp"}',
    '{"name":"\\ud800","kind":"manual","path":"/tmp"}',
    '{"\\u0000":1}',
    '{"name":1e400,"seed":1e400,"number":1e400}',
    `{"name":${'9'.repeat(5_000)}}`,
    `{"name":"${'x'.repeat(500_000)}","kind":"manual"}`,
    `{"name":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
    `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`,
    `${'['.repeat(200_000)}`,
    `{${Array.from({ length: 20_000 }, (_, i) => `"k${i}":${i}`).join(',')}}`,
    '{"name":"a","name":"b"}',
  ].map((body) => ({ body, headers: asJson })),
  { body: Buffer.from('{"name":"\xff\xfe","kind":"manual"}', 'latin1'), headers: asJson },
  { body: Buffer.from('{"name":"\xed\xa0\x80","kind":"manual"}', 'latin1'), headers: asJson },
  { body: Buffer.from('\ufeff{"name":"x","kind":"manual"}', 'utf16le'), headers: asJson },
  { body: '{"name":"x","kind":"manual"}', headers: typed('application/json; charset=utf-16') },
  { body: '{"name":"x","kind":"manual"}', headers: typed('application/json; charset="no such"; charset=') },
  { body: '{"name":"x","kind":"manual"}', headers: typed('text/plain') },
  { body: '{"name":"x","kind":"manual"}', headers: typed('') },
  { body: '{"name":"x","kind":"manual"}', headers: typed('nonsense/;;;=') },
  { body: '{"name":"x","kind":"manual"}' },
  { body: 'name=x&kind=manual', headers: typed('application/x-www-form-urlencoded') },
  { body: '--b\r\n\r\nx\r\n--b--', headers: typed('multipart/form-data; boundary=b') },
  { body: '--b\r\n', headers: typed('multipart/form-data') },
  { body: '<x>&e;</x>', headers: typed('application/xml') },
  {
    body: gzipSync('{"name":"x","kind":"manual"}'),
    headers: [...asJson, ['Content-Encoding', 'gzip']],
  },
  { body: 'x', headers: [...asJson, ['Content-Encoding', 'br, gzip, nonsense']] },
  { body: 'x'.repeat(1_100_000), headers: asJson },
  { body: `{"name":"${'x'.repeat(1_100_000)}"}`, headers: asJson },
];

/** Those that Node's parser knows, besides the five of REST, and some that nobody knows. */
export const oddMethods: readonly string[] = [
  ...[
    'HEAD',
    'OPTIONS',
    'TRACE',
    'CONNECT',
    'PROPFIND',
    'PROPPATCH',
    'MKCOL',
    'COPY',
    'MOVE',
    'LOCK',
    'UNLOCK',
  ],
  ...[
    'SEARCH',
    'M-SEARCH',
    'REPORT',
    'NOTIFY',
    'SUBSCRIBE',
    'PURGE',
    'LINK',
    'SOURCE',
    'QUERY',
    'BIND',
    'ACL',
  ],
  ...['TRACK', 'NONSENSE', 'get', 'Post', '', 'G E T', '🎬', '\u0000', 'PRI', 'GET\u0001', 'X'.repeat(500)],
];

export const oddHeaders: readonly (readonly [string, string])[] = [
  ...(['', '*', 'a/b;q=2', '\u00ff', 'text/html', 'x'.repeat(4_000)] as const).map(
    (value) => ['Accept', value] as const,
  ),
  ...(['gzip', 'br;q=0', 'identity;q=0, *;q=0', 'nonsense'] as const).map(
    (v) => ['Accept-Encoding', v] as const,
  ),
  ...(['bytes=0-', 'bytes=-1', 'bytes=9-1', 'bytes=0-0,5-', 'nonsense'] as const).map(
    (v) => ['Range', v] as const,
  ),
  ...(['*', '"', 'W/"x', '\u00ff', ','.repeat(1_000)] as const).map((v) => ['If-None-Match', v] as const),
  ...(['never', '-1', 'Thu, 01 Jan 1970 00:00:00 GMT'] as const).map(
    (v) => ['If-Modified-Since', v] as const,
  ),
  ...(['evil"host', 'a b', '[::1', 'x:99999999', '..', '', 'a@b', '\u00ff'] as const).map(
    (v) => ['Host', v] as const,
  ),
  ...(['websocket', 'h2c', 'x'] as const).map((value) => ['Upgrade', value] as const),
  ...(['"><script>', 'http', '../../x', '%00'] as const).map((value) => ['X-Forwarded-Host', value] as const),
  ...(['nonsense', '-1', '9'.repeat(100)] as const).map((value) => ['Last-Event-ID', value] as const),
  ...(['100-continue', '200-ok'] as const).map((value) => ['Expect', value] as const),
  ['Transfer-Encoding', 'gzip, chunked'],
  ['Transfer-Encoding', 'nonsense'],
  ['Content-Length', '-1'],
  ['Content-Length', '9'.repeat(30)],
  ['Cookie', 'a=b; =; ;;;\u00ff'],
  ['X-Http-Method-Override', 'DELETE'],
];

/** What stands where a body has a value. */
export const garbageValues: readonly unknown[] = [
  ...[
    null,
    true,
    -1,
    0,
    1.5,
    9_007_199_254_740_991,
    -9_007_199_254_740_991,
    2_147_483_648,
    1e300,
    [],
    {},
    [[]],
  ],
  ...[
    '',
    ' ',
    '0',
    '-1',
    'NaN',
    '05',
    '5.0',
    '2026-13-45',
    '\u0000',
    'a\u0000b',
    '\ud800',
    '\u202e🎬',
    '%',
    '\\',
  ],
  ...[
    "'; DROP TABLE channels; --",
    '../../etc/passwd',
    'javascript:alert(1)',
    'http://',
    'http://x/\u0000',
    unknownId,
  ],
  ...['x'.repeat(300), 'x'.repeat(100_000), Array.from({ length: 1_000 }, () => unknownId)],
];

/** A right body for each route that wants one; a library's folder is never there, so that nothing is scanned. */
export function sampleBodies(
  [profileId, collectionId]: readonly string[],
  channelId: string,
): { method: string; path: string; body: unknown }[] {
  const schedule = {
    slots: [{ id: 'all', play: collectionId, mode: 'multiple', order: 'shuffle', count: 2 }],
  };
  const video = {
    ...{ codec: 'h264', width: 320, height: 180, frameRate: { num: 25, den: 1 } },
    ...{ bitrateKbps: 400, preset: 'ultrafast', keyframeMs: 1000 },
  };
  const audio = { codec: 'aac', sampleRate: 48_000, channels: 2, bitrateKbps: 96 };
  const query = {
    folder: 'a',
    kind: 'movie',
    show: 'b',
    season: 1,
    genre: 'c',
    yearFrom: 1,
    yearTo: 2,
    text: 'd',
    addedWithin: 'P7D',
    durationFrom: 'PT1M',
    durationTo: 'PT2H',
  };
  const inSixHours = new Date(Date.now() + 6 * 3_600_000).toISOString();
  const playlist = [{ play: collectionId, order: 'rotate', count: 2, parts: 'together' }];
  return [
    { method: 'POST', path: '/libraries', body: { name: 'Nowhere', path: '/no/such/folder' } },
    { method: 'POST', path: '/collections', body: { name: 'By hand', kind: 'manual', media: [] } },
    { method: 'POST', path: '/collections', body: { name: 'By query', kind: 'query', query } },
    { method: 'POST', path: '/collections', body: { name: 'Union', kind: 'union', members: [collectionId] } },
    { method: 'POST', path: '/collections', body: { name: 'In turn', kind: 'playlist', playlist } },
    { method: 'POST', path: '/collection-preview', body: { kind: 'query', query } },
    { method: 'POST', path: '/profiles', body: { name: 'Small', spec: { video, audio } } },
    {
      method: 'POST',
      path: '/channels',
      body: {
        ...{
          number: '77',
          name: 'Seventy-seven',
          group: 'g',
          logoUrl: 'http://x/y.png',
          profileId,
          zone: 'UTC',
        },
        ...{ enabled: true, seed: 1, schedule },
      },
    },
    { method: 'PATCH', path: `/collections/${collectionId}`, body: { name: 'All', query: {} } },
    {
      method: 'PATCH',
      path: `/channels/${channelId}`,
      body: {
        ...{ number: '1', name: 'Channel 1', group: '', logoUrl: null, enabled: true, zone: 'UTC', seed: 1 },
        schedule: { slots: [{ id: 'all', play: collectionId, mode: 'flood', order: 'shuffle' }] },
      },
    },
    { method: 'POST', path: `/channels/${channelId}/rebuild`, body: {} },
    {
      method: 'POST',
      path: `/channels/${channelId}/preview`,
      body: { schedule, zone: 'UTC', seed: 1, from: 'now', to: inSixHours },
    },
  ];
}
