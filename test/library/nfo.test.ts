import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseFileName } from '../../src/library/file-name.ts';
import { applyNfo, parseNfo, readNfoFiles } from '../../src/library/nfo.ts';

describe('the text of an NFO', () => {
  test('a movie with all fields', () => {
    const nfo = parseNfo(`<?xml version="1.0" encoding="UTF-8" standalone="yes" ?>
      <movie>
        <title>Tom &amp; Jerry &#x1F600;</title>
        <year>1992</year>
        <premiered>1993-07-30</premiered>
        <plot>They &lt;talk&gt;.</plot>
        <genre>Animation</genre>
        <genre>Family / Comedy</genre>
        <mpaa>Rated G</mpaa>
        <ratings><rating name="imdb"><value>5.3</value></rating></ratings>
      </movie>`);
    expect(nfo).toEqual({
      kind: 'movie',
      title: 'Tom & Jerry 😀',
      year: 1992,
      aired: '1993-07-30',
      plot: 'They <talk>.',
      genres: ['Animation', 'Family', 'Comedy'],
      rating: 'Rated G',
    });
  });

  test('who made it, each kind in its order', () => {
    const nfo = parseNfo(`<movie><title>A</title>
      <director>First &amp; Second</director><director>Third / Fourth</director>
      <credits>Writer</credits><credits>Writer</credits>
      <actor><name>Star</name><role>Hero &lt;1&gt;</role><order>0</order><thumb>http://x/y.jpg</thumb></actor>
      <actor><name>Extra</name><role></role></actor>
      <actor><role>Nobody</role></actor>
    </movie>`);
    expect(nfo.credits).toEqual({
      directors: ['First & Second', 'Third', 'Fourth'],
      writers: ['Writer'],
      actors: [{ name: 'Star', role: 'Hero <1>' }, { name: 'Extra' }],
    });
    const crowd = '<actor><name>A</name></actor>'.repeat(500);
    expect(parseNfo(`<movie><title>A</title>${crowd}</movie>`).credits?.actors).toHaveLength(30);
    expect(parseNfo('<movie><title>A</title><director> </director></movie>').credits).toBeUndefined();
  });

  test('of several episodes in one file the first counts', () => {
    const nfo = parseNfo(`<episodedetails><title>One</title><showtitle>Show</showtitle><season>2</season>
      <episode>5</episode><aired>2020-01-02</aired></episodedetails>
      <episodedetails><title>Two</title><episode>6</episode></episodedetails>`);
    expect(nfo).toEqual({
      kind: 'episode',
      title: 'One',
      show: 'Show',
      season: 2,
      episode: 5,
      aired: '2020-01-02',
      year: 2020,
    });
  });

  test('an address behind the XML does not matter', () => {
    expect(parseNfo('<movie><title>A</title></movie>\nhttps://example.org/1').title).toBe('A');
  });

  test('what is no number and no date is left out', () => {
    const nfo = parseNfo(`<episodedetails><title> </title><season>-1</season><episode>five</episode>
      <aired>soon</aired><year>20</year></episodedetails>`);
    expect(nfo).toEqual({ kind: 'episode' });
  });

  test.each([
    ['an address alone', 'https://www.themoviedb.org/movie/603'],
    ['a torn one', '<movie><title>Half a ti'],
    ['an empty one', ''],
    ['another kind', '<artist><name>A</name></artist>'],
    ['no text inside', '<movie></movie>'],
  ])('%s is refused', (_name, text) => {
    expect(() => parseNfo(text)).toThrow();
  });

  test('entities of a DOCTYPE expand to nothing', () => {
    const bomb = `<!DOCTYPE movie [<!ENTITY a "aaaaaaaaaa">${Array.from({ length: 9 }, (_, n) => {
      const inner = n === 0 ? 'a' : `b${n - 1}`;
      return `<!ENTITY b${n} "${`&${inner};`.repeat(10)}">`;
    }).join('')}]><movie><title>&b8;</title></movie>`;
    expect(parseNfo(bomb).title).toBe('&b8;');
    const leak = `<!DOCTYPE movie [<!ENTITY file SYSTEM "file:///etc/passwd">]><movie><title>&file;</title></movie>`;
    expect(() => parseNfo(leak)).toThrow('External entities');
  });

  test('deep nesting is refused, and names of JavaScript harm nothing', () => {
    expect(() => parseNfo(`<movie>${'<a>'.repeat(5000)}${'</a>'.repeat(5000)}</movie>`)).toThrow();
    try {
      parseNfo('<movie><__proto__><title>x</title></__proto__><constructor>1</constructor></movie>');
    } catch {
      // Refused is as good.
    }
    expect(({} as Record<string, unknown>).title).toBeUndefined();
  });
});

describe('NFO files in folders', () => {
  let root: string;
  const put = async (path: string, text: string | Buffer) => {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), text);
  };
  const read = async (path: string) => await readNfoFiles(root, path, parseFileName(path));

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'aircheck-nfo-'));
  });
  afterAll(async () => {
    await rm(root, { recursive: true, force: true });
  });

  test('an episode takes its own fields from its NFO and the show from tvshow.nfo above', async () => {
    await put(
      'show/tvshow.nfo',
      '<tvshow><title>The Show</title><genre>Drama</genre><mpaa>TV-14</mpaa><plot>All.</plot></tvshow>',
    );
    await put('show/Season 1/show.s01e02.nfo', '<episodedetails><title>Two</title></episodedetails>');
    const { metadata, ignored } = await read('show/Season 1/show.s01e02.mkv');
    expect(metadata).toEqual({
      kind: 'episode',
      title: 'Two',
      show: 'The Show',
      season: 1,
      episode: 2,
      genres: ['Drama'],
      rating: 'TV-14',
    });
    expect(ignored).toEqual([]);
  });

  test('movie.nfo describes the movie in its folder', async () => {
    await put('Movie (2020)/movie.nfo', '<movie><title>Der Film</title><plot>P</plot></movie>');
    const { metadata } = await read('Movie (2020)/Movie (2020).mkv');
    expect(metadata).toEqual({ kind: 'movie', title: 'Der Film', year: 2020, plot: 'P' });
  });

  test('one that cannot be used is left out and named', async () => {
    await put('odd/a.nfo', 'https://example.org');
    await put('odd/b.nfo', Buffer.alloc(1024 * 1024 + 1, 0x20));
    expect(await read('odd/a.mkv')).toEqual({
      metadata: { kind: 'other', title: 'a' },
      ignored: [expect.stringContaining('odd/a.nfo: it holds no <movie>')],
    });
    expect((await read('odd/b.mkv')).ignored).toEqual([expect.stringContaining('larger than 1 MB')]);
  });

  test('other encodings are read', async () => {
    const text = '<?xml version="1.0" encoding="ISO-8859-1"?><movie><title>Fräulein</title></movie>';
    await put('latin/a.nfo', Buffer.from(text, 'latin1'));
    const utf16 = Buffer.from(`\uFEFF<movie><title>Fräulein</title></movie>`, 'utf16le');
    await put('latin/b.nfo', utf16);
    expect((await read('latin/a.mkv')).metadata.title).toBe('Fräulein');
    expect((await read('latin/b.mkv')).metadata.title).toBe('Fräulein');
  });

  test('a movie by its NFO loses what its name made of it', () => {
    const named = parseFileName('Movie 1x02.mkv');
    expect(applyNfo(named, { kind: 'movie', title: 'Movie 1x02', year: 1999 })).toEqual({
      kind: 'movie',
      title: 'Movie 1x02',
      year: 1999,
    });
  });
});
