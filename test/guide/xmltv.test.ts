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
  isArray: (name) =>
    ['channel', 'programme', 'display-name', 'category', 'episode-num', 'actor', 'image'].includes(name),
});

/** The one programme of a channel that airs this for half a day. */
function programmeOf(
  given: Partial<GuideMedia>,
  name = 'Sitcoms',
  options: Parameters<typeof documentOf>[2] = {},
) {
  const rows = [row(evening - hour, evening + 30 * hour, { slot: 'evening', media: media(given) })];
  const document = documentOf([[channel({ name }), rows]], guideWindow(evening, 24), options);
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
  it('is this one for a small lineup', () => {
    const document = documentOf(lineup, {
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

  it('is valid by the DTD', () => {
    const document = documentOf(lineup, guideWindow(evening));
    expect(documentErrors(document)).toEqual([]);
    expect(xmllintErrors(document)).toBe('');
  });

  it('is valid without a channel', () => {
    const document = documentOf([], guideWindow(evening));
    expect(documentErrors(document)).toEqual([]);
    expect(xmllintErrors(document)).toBe('');
  });

  it('is valid whatever the texts are', () => {
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
      id: fc.uuid(),
      credits: fc.option(
        fc.record({
          directors: fc.array(anyText, { maxLength: 3 }),
          actors: fc.array(fc.record({ name: anyText, role: anyText }), { maxLength: 3 }),
        }),
      ),
      artwork: fc.option(fc.record({ poster: anyText.map((text) => `${text}.PNG`) })),
      addedAt: fc.integer({ min: 0, max: evening }),
    });
    fc.assert(
      fc.property(anyMedia, anyText, anyText, (given, name, logoUrl) => {
        const rows = [row(evening - hour, evening + hour, { media: given })];
        const document = documentOf([[channel({ name, logoUrl }), rows]], guideWindow(evening));
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
  ])('writes the title %j', (title, written) => {
    const rows = [row(evening - hour, evening + hour, { media: media({ title }) })];
    const document = documentOf([[channel(), rows]], guideWindow(evening));
    expect(document).toContain(`<title lang="en">${written}</title>`);
    expect(documentErrors(document)).toEqual([]);
    expect(xmllintErrors(document)).toBe('');
  });

  it('takes its title from the file, and then from the channel, when it has none', () => {
    expect(programmeOf({ title: ' \u0000 ' }).title['#text']).toBe('a-file');
    expect(programmeOf({ title: '', path: '' }).title['#text']).toBe('Sitcoms');
    expect(programmeOf({ title: '', path: '' }, '\u0001').title['#text']).toBe('Channel 5');
    expect(programmeOf({ kind: 'episode', show: '', title: 'Pilot' }).title['#text']).toBe('Pilot');
  });

  it('has no second title that is the same as the first', () => {
    expect(programmeOf({ kind: 'episode', show: 'Show', title: 'Show' })).not.toHaveProperty('sub-title');
  });

  it.each([
    { season: 1, episode: 1, numbers: ['S01E01', '0.0.'] },
    { season: 12, episode: 130, numbers: ['S12E130', '11.129.'] },
    { season: 0, episode: 3, numbers: ['S00E03'] },
    { season: 1, episode: 0, numbers: ['S01E00'] },
    { season: null, episode: 7, numbers: ['E07', '.6.'] },
    { season: 3, episode: null, numbers: undefined },
  ])('has the numbers $numbers for season $season, episode $episode', ({ season, episode, numbers }) => {
    const found = programmeOf({ kind: 'episode', show: 'S', season, episode })['episode-num'];
    expect(found?.map((each: Record<string, string>) => each['#text'])).toEqual(numbers);
  });

  it('has a description of less than 1000 characters that ends with a word', () => {
    const { desc } = programmeOf({ plot: 'word '.repeat(500) });
    expect(desc['#text'].length).toBeLessThan(1000);
    expect(desc['#text']).toMatch(/word…$/);
    const emoji = programmeOf({ plot: '😀'.repeat(600) }).desc['#text'];
    expect(emoji.length).toBeLessThan(1000);
    expect(emoji.isWellFormed()).toBe(true);
  });

  it('names who made it, as far as readers show it', () => {
    const { credits } = programmeOf({
      credits: {
        directors: ['D & E', ' '],
        actors: [{ name: 'A <1>', role: 'The "R"' }, { name: 'B' }, { name: '\u0000', role: 'nobody' }],
        writers: ['W'],
      },
    });
    expect(credits).toEqual({
      director: 'D & E',
      actor: [{ role: 'The "R"', '#text': 'A <1>' }, 'B'],
      writer: 'W',
    });
    expect(programmeOf({ credits: { actors: [{ name: ' ' }] } })).not.toHaveProperty('credits');
    const many = Array.from({ length: 40 }, (_, n) => ({ name: `Actor ${n}` }));
    expect(programmeOf({ credits: { actors: many } }).credits.actor).toHaveLength(10);
  });

  it('has one icon, a poster for a film and a still for an episode, and every picture as an image', () => {
    const artwork = { poster: 'Show/poster.JPG', still: 'Show/1-thumb.png', backdrop: 'Show/fanart.webp' };
    const at = 'http://tv.example.org/iptv/artwork/aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee';
    const episode = programmeOf({ kind: 'episode', artwork });
    expect(episode.icon).toEqual({ src: `${at}/still.png` });
    expect(episode.image).toEqual([
      { type: 'poster', orient: 'P', size: '3', '#text': `${at}/poster.jpg` },
      { type: 'still', orient: 'L', size: '3', '#text': `${at}/still.png` },
      { type: 'backdrop', orient: 'L', size: '3', '#text': `${at}/backdrop.webp` },
    ]);
    expect(programmeOf({ kind: 'movie', artwork }).icon.src).toBe(`${at}/poster.jpg`);
    const posters = programmeOf({ kind: 'episode', artwork }, 'Sitcoms', { episodeIcon: 'poster' });
    expect(posters.icon.src).toBe(`${at}/poster.jpg`);
    expect(programmeOf({ kind: 'episode', artwork: { poster: 'poster.jpg' } }).icon.src).toBe(
      `${at}/poster.jpg`,
    );
    expect(programmeOf({})).not.toHaveProperty('icon');
  });

  it('has been shown before: on its air date, or when it was on here for the first time', () => {
    const shown = (given: Partial<GuideMedia>, newDays = 0) => programmeOf(given, 'Sitcoms', { newDays });
    const yesterday = evening - 30 * hour;
    expect(shown({ aired: '1999-03-17', firstAirsAt: yesterday })['previously-shown'].start).toBe('19990317');
    expect(shown({ firstAirsAt: yesterday })['previously-shown'].start).toBe('20260104');
    expect(shown({ firstAirsAt: evening - hour })['previously-shown']).toBe('');
    expect(shown({ addedAt: evening })).not.toHaveProperty('new');
  });

  it('is new within some days after it has joined the library, at its first airing only, if that is wanted', () => {
    const shown = (given: Partial<GuideMedia>) => programmeOf(given, 'Sitcoms', { newDays: 7 });
    const fresh = shown({ aired: '1999-03-17', addedAt: evening - 24 * hour, firstAirsAt: evening - hour });
    expect(fresh).toHaveProperty('new');
    expect(fresh).not.toHaveProperty('previously-shown');
    for (const given of [
      { addedAt: evening - 24 * hour, firstAirsAt: evening - 25 * hour },
      { addedAt: evening - 8 * 24 * hour },
    ]) {
      expect(shown(given)).not.toHaveProperty('new');
      expect(shown(given)).toHaveProperty('previously-shown');
    }
  });

  it('is called as its slot is, with its own title below', () => {
    const titles = new Map([['evening', 'Film & Night']]);
    const film = programmeOf({ kind: 'movie', title: 'A Film', plot: 'Text.' }, 'Sitcoms', { titles });
    expect(film.title['#text']).toBe('Film & Night');
    expect(film['sub-title']['#text']).toBe('A Film');
    expect(film.desc['#text']).toBe('Text.');
    const episode = programmeOf({ kind: 'episode', show: 'Show', title: 'Pilot' }, 'Sitcoms', { titles });
    expect(episode['sub-title']['#text']).toBe('Show: Pilot');
  });

  it('lists what airs in a block of several items', () => {
    const rows = [
      row(evening - hour, evening, {
        slot: 'evening',
        media: media({ title: 'One', genres: ['Drama', 'Crime'] }),
      }),
      row(evening, evening + minute, { slot: 'evening', kind: 'filler', media: media({ title: 'Ad' }) }),
      row(evening + minute, evening + 9 * hour, {
        slot: 'evening',
        media: media({ kind: 'episode', show: 'Show', title: 'Two', genres: ['Crime'] }),
      }),
    ];
    const titles = new Map([['evening', 'Evening block']]);
    const document = documentOf([[channel(), rows]], guideWindow(evening, 8), { titles });
    expect(documentErrors(document)).toEqual([]);
    const [block] = parser.parse(document).tv.programme;
    expect(block).toMatchObject({
      start: '20260105170000 +0000',
      stop: '20260106030000 +0000',
      title: { '#text': 'Evening block' },
      desc: { '#text': 'One · Show: Two' },
      category: [{ '#text': 'Crime' }],
      length: { '#text': '599' },
    });
    expect(block).not.toHaveProperty('episode-num');
  });

  it('shows that a channel is off air under the title that it has for that', () => {
    const offline = row(evening - hour, evening + 5 * hour, {
      kind: 'offline',
      guide: null,
      media: undefined,
    });
    const titleOf = (offlineTitle: string | undefined) =>
      parser.parse(documentOf([[channel({ offlineTitle }), [offline]]], guideWindow(evening))).tv.programme[0]
        .title['#text'];
    expect(titleOf('Back at six')).toBe('Back at six');
    expect(titleOf(' \u0000 ')).toBe('Sitcoms');
    expect(titleOf(undefined)).toBe('Sitcoms');
  });

  it('cuts a title that is no title', () => {
    const { title } = programmeOf({ title: 'x'.repeat(10_000) });
    expect(title['#text'].length).toBeLessThanOrEqual(300);
  });

  it('ignores a date that is none', () => {
    const programme = programmeOf({ aired: '2020', year: 3 });
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
