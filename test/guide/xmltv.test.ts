import fc from 'fast-check';
import { XMLParser } from 'fast-xml-parser';
import { describe, expect, it } from 'vitest';
import type { GuideMedia } from '../../src/guide/programmes.ts';
import { xmltvTime } from '../../src/guide/xmltv.ts';
import { documentErrors, xmllintErrors } from './dtd.ts';
import { channel, documentOf, evening, guideWindow, hour, media, minute, row } from './lineup.ts';

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  isArray: (name) => ['channel', 'programme', 'display-name', 'category', 'episode-num'].includes(name),
});

/** The one programme of a channel that airs this for half a day. */
async function programmeOf(given: Partial<GuideMedia>, name = 'Sitcoms') {
  const rows = [row(evening - hour, evening + 30 * hour, { media: media(given) })];
  const document = await documentOf([[channel({ name }), rows]], guideWindow(evening, 24));
  expect(documentErrors(document)).toEqual([]);
  return parser.parse(document).tv.programme[0];
}

const lineup = [
  [
    channel({ logoUrl: 'https://art.example.org/five.png?a=1&b=2' }),
    [
      row(evening - hour + 400, evening + 400, {
        guide: 1,
        media: media({
          kind: 'episode',
          show: 'Show & Tell',
          title: 'The <First> One',
          season: 2,
          episode: 5,
          aired: '1999-03-17',
          plot: 'A text\nof two lines.',
          genres: ['Comedy'],
          rating: 'TV-PG',
        }),
      }),
      row(evening + 400, evening + 5 * minute, { guide: null, kind: 'filler', media: media() }),
      row(evening + 5 * minute, evening + 95 * minute, {
        guide: 2,
        media: media({
          kind: 'movie',
          title: 'A Film',
          year: 2020,
          genres: ['Drama', 'Movie'],
          rating: 'PG-13',
        }),
      }),
      row(evening + 95 * minute, evening + 2 * hour, { kind: 'offline', guide: null, media: undefined }),
      row(evening + 2 * hour, evening + 26 * hour, { guide: 3, media: media({ title: 'Home video' }) }),
    ],
  ],
  [channel({ id: 'b', number: '5.1', name: 'Nothing', guideId: 'C5.1.x' }), []],
] as const;

describe('the XMLTV document', () => {
  it('is this one for a small lineup', async () => {
    const document = await documentOf(lineup, {
      now: evening,
      from: evening - 2 * hour,
      to: evening + 6 * hour,
    });
    expect(document.trimEnd().split('\n')).toEqual([
      '<?xml version="1.0" encoding="UTF-8"?>',
      '<!DOCTYPE tv SYSTEM "xmltv.dtd">',
      '<tv generator-info-name="aircheck">',
      '<channel id="C5.53.x.example.org"><display-name>5 Sitcoms</display-name><display-name>5</display-name><display-name>Sitcoms</display-name><icon src="https://art.example.org/five.png?a=1&amp;b=2"/></channel>',
      '<channel id="C5.1.x"><display-name>5.1 Nothing</display-name><display-name>5.1</display-name><display-name>Nothing</display-name></channel>',
      '<programme start="20260105170000 +0000" stop="20260105180500 +0000" channel="C5.53.x.example.org"><title lang="en">Show &amp; Tell</title><sub-title lang="en">The &lt;First&gt; One</sub-title><desc lang="en">A text of two lines.</desc><date>19990317</date><category lang="en">Series</category><category lang="en">Comedy</category><length units="minutes">60</length><episode-num system="onscreen">S02E05</episode-num><episode-num system="xmltv_ns">1.4.</episode-num><previously-shown start="19990317"/><rating system="VCHIP"><value>TV-PG</value></rating></programme>',
      '<programme start="20260105180500 +0000" stop="20260105193500 +0000" channel="C5.53.x.example.org"><title lang="en">A Film</title><date>2020</date><category lang="en">Movie</category><category lang="en">Drama</category><length units="minutes">90</length><previously-shown/><rating system="MPAA"><value>PG-13</value></rating></programme>',
      '<programme start="20260105193500 +0000" stop="20260105200000 +0000" channel="C5.53.x.example.org"><title lang="en">Sitcoms</title></programme>',
      '<programme start="20260105200000 +0000" stop="20260106200000 +0000" channel="C5.53.x.example.org"><title lang="en">Home video</title><length units="minutes">1440</length><previously-shown/></programme>',
      '<programme start="20260105180000 +0000" stop="20260106000000 +0000" channel="C5.1.x"><title lang="en">Nothing</title></programme>',
      '</tv>',
    ]);
  });

  it('is valid by the DTD', async () => {
    const document = await documentOf(lineup, guideWindow(evening));
    expect(documentErrors(document)).toEqual([]);
    expect(xmllintErrors(document)).toBe('');
  });

  it('is valid without a channel', async () => {
    const document = await documentOf([], guideWindow(evening));
    expect(documentErrors(document)).toEqual([]);
    expect(xmllintErrors(document)).toBe('');
  });

  it('is valid whatever the texts are', async () => {
    const anyText = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        ']]>',
        '<!--',
        '\u0000',
        '\ud800',
        '\udc00\ud800',
        '&amp;',
        '"\'',
        '\uffff',
        '   ',
        '\u200fعربي',
      ),
    );
    const anyMedia = fc.record({
      kind: fc.constantFrom('movie' as const, 'episode' as const, 'other' as const),
      title: anyText,
      show: fc.option(anyText),
      season: fc.option(fc.integer({ min: 0, max: 3000 })),
      episode: fc.option(fc.integer({ min: 0, max: 3000 })),
      year: fc.option(fc.integer({ min: 0, max: 99_999 })),
      aired: fc.option(fc.oneof(anyText, fc.constant('2001-02-03'))),
      plot: fc.option(fc.string({ unit: 'binary', maxLength: 3000 })),
      genres: fc.array(anyText, { maxLength: 4 }),
      rating: fc.option(anyText),
      path: anyText,
    });
    await fc.assert(
      fc.asyncProperty(anyMedia, anyText, anyText, async (given, name, logoUrl) => {
        const rows = [row(evening - hour, evening + hour, { media: given })];
        const document = await documentOf([[channel({ name, logoUrl }), rows]], guideWindow(evening));
        expect(documentErrors(document)).toEqual([]);
        const { tv } = parser.parse(document);
        for (const programme of tv.programme) expect(programme.title['#text'].trim()).not.toBe('');
      }),
      { numRuns: 150 },
    );
  });
});

describe('a programme', () => {
  it.each([
    ['Tom & Jerry', 'Tom &amp; Jerry'],
    ['<b>"Bold"</b> \'n\' >', '&lt;b&gt;&quot;Bold&quot;&lt;/b&gt; &apos;n&apos; &gt;'],
    ['CDATA ]]> end', 'CDATA ]]&gt; end'],
    ['already &amp; escaped', 'already &amp;amp; escaped'],
    ['bell\u0007 nul\u0000 esc\u001b c1\u0085 x', 'bell nul esc c1 x'],
    ['half \ud83d a pair \udc00 gone', 'half a pair gone'],
    ['emoji 👩‍👩‍👧 stays', 'emoji 👩‍👩‍👧 stays'],
    ['عنوان \u200fRTL', 'عنوان \u200fRTL'],
    ['two\nlines\tand\r\ntabs', 'two lines and tabs'],
    ['not \ufffe a \uffff character', 'not a character'],
  ])('writes the title %j', async (title, written) => {
    const rows = [row(evening - hour, evening + hour, { media: media({ title }) })];
    const document = await documentOf([[channel(), rows]], guideWindow(evening));
    expect(document).toContain(`<title lang="en">${written}</title>`);
    expect(documentErrors(document)).toEqual([]);
    expect(xmllintErrors(document)).toBe('');
  });

  it('takes its title from the file, and then from the channel, when it has none', async () => {
    expect((await programmeOf({ title: ' \u0000 ' })).title['#text']).toBe('a-file');
    expect((await programmeOf({ title: '', path: '' })).title['#text']).toBe('Sitcoms');
    expect((await programmeOf({ title: '', path: '' }, '\u0001')).title['#text']).toBe('Channel 5');
    expect((await programmeOf({ kind: 'episode', show: '', title: 'Pilot' })).title['#text']).toBe('Pilot');
  });

  it('has no second title that is the same as the first', async () => {
    expect(await programmeOf({ kind: 'episode', show: 'Show', title: 'Show' })).not.toHaveProperty(
      'sub-title',
    );
  });

  it.each([
    { season: 1, episode: 1, numbers: ['S01E01', '0.0.'] },
    { season: 12, episode: 130, numbers: ['S12E130', '11.129.'] },
    { season: 0, episode: 3, numbers: ['S00E03'] },
    { season: 1, episode: 0, numbers: ['S01E00'] },
    { season: null, episode: 7, numbers: ['E07', '.6.'] },
    { season: 3, episode: null, numbers: undefined },
  ])(
    'has the numbers $numbers for season $season, episode $episode',
    async ({ season, episode, numbers }) => {
      const found = (await programmeOf({ kind: 'episode', show: 'S', season, episode }))['episode-num'];
      expect(found?.map((each: Record<string, string>) => each['#text'])).toEqual(numbers);
    },
  );

  it('has a description of less than 1000 characters that ends with a word', async () => {
    const { desc } = await programmeOf({ plot: 'word '.repeat(500) });
    expect(desc['#text'].length).toBeLessThan(1000);
    expect(desc['#text']).toMatch(/word…$/);
    const emoji = (await programmeOf({ plot: '😀'.repeat(600) })).desc['#text'];
    expect(emoji.length).toBeLessThan(1000);
    expect(emoji.isWellFormed()).toBe(true);
  });

  it('ignores a date that is none', async () => {
    const programme = await programmeOf({ aired: '2020', year: 3 });
    expect(programme).not.toHaveProperty('date');
    expect(programme['previously-shown']).toBe('');
  });

  it('has its time in the one form that every reader takes', () => {
    expect(xmltvTime(Date.UTC(2026, 0, 5, 20, 0, 7))).toBe('20260105200007 +0000');
    expect(() => xmltvTime(Number.NaN)).toThrow(RangeError);
    expect(() => xmltvTime(Date.UTC(12_000, 0))).toThrow(RangeError);
  });
});

describe('the check of the DTD itself', () => {
  const wrap = (inside: string) =>
    `<tv><channel id="a"><display-name>A</display-name></channel>${inside}</tv>`;

  it.each([
    '<programme start="1" channel="a"><desc>d</desc><title>t</title></programme>',
    '<programme start="1" channel="a"/>',
    '<programme channel="a"><title>t</title></programme>',
    '<programme start="1" channel="a"><title>t</title><live/></programme>',
    '<programme start="1" channel="a"><title>t</title><length>3</length></programme>',
    '<programme start="1" channel="a"><title>t</title></programme><channel id="b"><display-name>B</display-name></channel>',
    '<channel id="b"/>',
  ])('refuses %s', (inside) => {
    expect(documentErrors(wrap(inside))).not.toEqual([]);
  });
});
