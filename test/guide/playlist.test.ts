import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderPlaylist } from '../../src/guide/playlist.ts';
import { channel } from './lineup.ts';
import { readAsJellyfin, readAsKodi } from './players.ts';

const base = 'http://tv.example.org:8880';

function named(name: string) {
  const playlist = renderPlaylist([channel({ name })], base);
  return { jellyfin: readAsJellyfin(playlist)[0]!, kodi: readAsKodi(playlist)[0]! };
}

describe('the playlist', () => {
  it('has one entry with everything that players read', () => {
    const logoUrl = 'https://art.example.org/five.png';
    expect(renderPlaylist([channel({ group: 'Comedy', logoUrl })], base)).toBe(
      [
        `#EXTM3U x-tvg-url="${base}/iptv/xmltv.xml" url-tvg="${base}/iptv/xmltv.xml"`,
        '#EXTINF:-1 tvg-id="C5.53.x.example.org" channel-id="C5.53.x.example.org" CUID="C5.53.x.example.org" ' +
          'tvg-chno="5" channel-number="5" tvg-name="Sitcoms" tvg-logo="https://art.example.org/five.png" ' +
          'group-title="Comedy" tvc-stream-vcodec="h264" tvc-stream-acodec="aac" tvh-epg="0",Sitcoms',
        `${base}/iptv/channel/0b5f3c1e-9f43-4d5e-8a52-6a0d8b6f7c11.ts`,
        '',
      ].join('\n'),
    );
  });

  it('lists the enabled channels by number', () => {
    const numbers = ['10', '9', '5.1', '6', '5'];
    const channels = numbers.map((number) => channel({ number, id: number, enabled: number !== '6' }));
    expect(readAsJellyfin(renderPlaylist(channels, base)).map((each) => each.number)).toEqual([
      '5',
      '5.1',
      '9',
      '10',
    ]);
  });

  it('is the head alone when there is no channel', () => {
    expect(renderPlaylist([], base).trim().split('\n')).toHaveLength(1);
  });

  it('leaves out a logo and a group that are not there', () => {
    const playlist = renderPlaylist([channel({ logoUrl: 'logos/five.png' })], base);
    expect(playlist).not.toMatch(/tvg-logo|group-title/);
  });

  it.each([
    ['The "Best" & <Only>', "The 'Best' & <Only>", "The 'Best' & <Only>"],
    ['News, Sport, Weather', 'News, Sport, Weather', 'News Sport Weather'],
    ['Two\nlines\r\nand\ttabs', 'Two lines and tabs', 'Two lines and tabs'],
    ['a tvg-id="x" catchup="y"', "a tvg-id ='x' catchup ='y'", "a tvg-id ='x' catchup ='y'"],
    ['1+1=2', '1+1 =2', '1+1 =2'],
    ['قناة 📺 Ünï', 'قناة 📺 Ünï', 'قناة 📺 Ünï'],
    ['#1 Hits', '#1 Hits', '#1 Hits'],
  ])('brings the name %j to Jellyfin and Kodi', (name, tvgName, shown) => {
    const { jellyfin, kodi } = named(name);
    expect(jellyfin).toMatchObject({ tvgName, name: shown });
    expect(kodi).toMatchObject({ tvgName, name: shown, surprises: [] });
  });

  it.each(['24 Hours', '5 USA', '3.5 Degrees', 'Infinity Train'])(
    'does not lose the first word of %s to Jellyfin',
    (name) => {
      const { jellyfin, kodi } = named(name);
      expect(jellyfin.name.replace('\u00a0', ' ')).toBe(name);
      expect(jellyfin.tvgName).toBe(name);
      expect(kodi.tvgName).toBe(name);
    },
  );

  it('keeps the address of a logo whose query looks like an attribute', () => {
    const logoUrl = 'https://art.example.org/l.png?media=1&catchup=2&id=3';
    const [read] = readAsKodi(renderPlaylist([channel({ logoUrl })], base));
    expect(read?.surprises).toEqual([]);
    expect([...new URL(read?.logo ?? '').searchParams]).toEqual([...new URL(logoUrl).searchParams]);
  });

  it('reads the same in every player, whatever the names are', () => {
    const word = fc.constantFrom(
      '"',
      ',',
      '\n',
      '\r',
      '&',
      'tvg-id="x"',
      'catchup=',
      ' ',
      ';',
      '\u2028',
      '\ud800',
    );
    const anyText = fc
      .array(fc.oneof(word, fc.string({ unit: 'binary' }), fc.string()))
      .map((all) => all.join(''));
    fc.assert(
      fc.property(anyText, anyText, (name, group) => {
        const channels = [channel({ name, group }), channel({ number: '6', id: 'six', guideId: 'C6.x' })];
        const playlist = renderPlaylist(channels, base);
        const jellyfin = readAsJellyfin(playlist);
        const kodi = readAsKodi(playlist);
        expect(playlist).not.toMatch(/\p{Surrogate}/u);
        expect(playlist.trimEnd().split(/[\n\r\u0085\u2028\u2029]/)).toHaveLength(5);
        for (const read of [jellyfin, kodi]) {
          expect(read.map((each) => each.id)).toEqual(['C5.53.x.example.org', 'C6.x']);
          expect(read.map((each) => each.number)).toEqual(['5', '6']);
          expect(read.map((each) => each.url)).toEqual(
            channels.map(({ id }) => `${base}/iptv/channel/${id}.ts`),
          );
        }
        expect(kodi.flatMap((each) => each.surprises)).toEqual([]);
        expect(jellyfin.map((each) => [each.tvgName, each.group])).toEqual(
          kodi.map((each) => [each.tvgName, each.group]),
        );
        expect(jellyfin[0]!.name).not.toBe('');
      }),
      { numRuns: 300 },
    );
  });
});
