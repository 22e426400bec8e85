import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { eq } from 'drizzle-orm';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { listMedia, type Media } from '../../src/db/media.ts';
import * as schema from '../../src/db/schema.ts';
import { type Artwork, artworkOf, iconOf, imagesIn } from '../../src/library/artwork.ts';
import { LibraryService } from '../../src/library/library-service.ts';
import { walk } from '../../src/library/walk.ts';
import { makeClip, probePath, temporaryFolder } from '../library/clips.ts';
import { databases, type TestDatabase } from '../support/databases.ts';
import { startGuideServer } from './guide-server.ts';

const log = pino({ level: 'silent' });

describe('the pictures of a media', () => {
  const found = (path: string, own: string[], above: string[] = []): Artwork | undefined => {
    const folder = dirname(path) === '.' ? '' : dirname(path);
    return artworkOf(path, imagesIn(folder, own), imagesIn(dirname(folder), above));
  };

  it.each<[what: string, path: string, own: string[], above: string[], artwork: Artwork | undefined]>([
    ['none', 'Film/Film.mkv', ['Film.mkv', 'Film.nfo', 'other.jpg'], [], undefined],
    [
      'those of its folder',
      'Film/Film.mkv',
      ['folder.jpg', 'fanart.png'],
      ['poster.jpg'],
      {
        poster: 'Film/folder.jpg',
        backdrop: 'Film/fanart.png',
      },
    ],
    [
      'its own before those of its folder',
      'Film/Film.mkv',
      ['poster.jpg', 'Film-poster.webp'],
      [],
      {
        poster: 'Film/Film-poster.webp',
      },
    ],
    [
      'its still',
      'Show/1x01.mkv',
      ['1x01-thumb.jpg', '1x02-thumb.jpg'],
      [],
      { still: 'Show/1x01-thumb.jpg' },
    ],
    ['a still by its own name', 'Show/1x01.mkv', ['1x01.JPEG'], [], { still: 'Show/1x01.JPEG' }],
    [
      'those of the show where the season has none',
      'Show/Season 1/1.mkv',
      [],
      ['poster.jpg', 'fanart.jpg', 'season01-poster.jpg', 'season02-poster.jpg'],
      { poster: 'Show/season01-poster.jpg', backdrop: 'Show/fanart.jpg' },
    ],
    [
      'those of the season first',
      'Show/Season 1/1.mkv',
      ['poster.jpg'],
      ['season01-poster.jpg'],
      {
        poster: 'Show/Season 1/poster.jpg',
      },
    ],
    [
      'those of specials',
      'Show/Specials/1.mkv',
      [],
      ['season-specials-poster.jpg'],
      {
        poster: 'Show/season-specials-poster.jpg',
      },
    ],
    ['not those above a folder that is no season', 'Films/Film/Film.mkv', [], ['poster.jpg'], undefined],
    ['without regard to case', 'Film.mkv', ['FILM-POSTER.PNG'], [], { poster: 'FILM-POSTER.PNG' }],
    [
      'nothing hidden, and no documents',
      'Film/Film.mkv',
      ['.poster.jpg', 'poster.svg', 'poster'],
      [],
      undefined,
    ],
    [
      'always the same of two',
      'Film/Film.mkv',
      ['poster.png', 'poster.jpg'],
      [],
      { poster: 'Film/poster.jpg' },
    ],
  ])('are %s', (_, path, own, above, artwork) => {
    expect(found(path, own, above)).toEqual(artwork);
    expect(found(path, own.toReversed(), above.toReversed())).toEqual(artwork);
  });

  it('have one that stands for all', () => {
    const all = { poster: 'p.jpg', still: 's.jpg', backdrop: 'b.jpg' };
    expect(iconOf('movie', all, 'still')).toBe('poster');
    expect(iconOf('episode', all, 'still')).toBe('still');
    expect(iconOf('episode', all, 'poster')).toBe('poster');
    expect(iconOf('episode', { poster: 'p.jpg' }, 'still')).toBe('poster');
    expect(iconOf('other', { backdrop: 'b.jpg' }, 'still')).toBe('backdrop');
    expect(iconOf('movie', {}, 'still')).toBeUndefined();
  });
});

describe.each(databases)('pictures and credits from a folder ($name)', ({ open }) => {
  let database: TestDatabase;
  let folder: string;
  let remove: () => Promise<void>;
  let root: string;
  let library: LibraryService;
  let libraryId: string;
  let changes = 0;
  let server: Awaited<ReturnType<typeof startGuideServer>>;
  const episode = 'Show/Season 01/Show - S01E02 - Two.mkv';
  const film = 'Film (2020)/Film (2020).mkv';

  beforeAll(async () => {
    database = await open();
    ({ folder, remove } = await temporaryFolder());
    root = join(folder, 'library');
    const clip = await makeClip(join(folder, 'clip.mkv'));
    // A little old, so that it counts as whole.
    await utimes(clip, 1_600_000_000, 1_600_000_000);
    for (const path of [episode, film]) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await copyFile(clip, join(root, path));
    }
    await put('Show/poster.jpg', 'the poster of the show');
    await put(`${episode.replace('.mkv', '')}-thumb.png`, 'the still');
    // No picture, whatever its name.
    await mkdir(join(root, 'Film (2020)/folder.jpg'));
    await put(
      'Show/tvshow.nfo',
      '<tvshow><title>Show</title><actor><name>Main</name><role>Hero</role></actor></tvshow>',
    );
    await put(
      episode.replace('.mkv', '.nfo'),
      '<episodedetails><title>Two</title><director>D &amp; E</director><credits>W</credits></episodedetails>',
    );
    const { library: config, ffmpeg } = loadConfig({});
    library = new LibraryService({
      db: database.db,
      log,
      config: { ...config, watch: false, settleMs: 0 },
      ffmpeg: { ...ffmpeg, probePath },
      onChange: () => {
        changes += 1;
      },
    });
    ({ id: libraryId } = await library.add({ name: 'tv', path: root }));
    await library.scan(libraryId);
    server = await startGuideServer({ db: database.db, guide: undefined as never, lineup: () => [] });
  });

  afterAll(async () => {
    await server?.stop();
    await library?.stop();
    await database?.stop();
    await remove?.();
  });

  async function put(path: string, content: string) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }

  async function mediaAt(path: string): Promise<Media> {
    const { items } = await listMedia(database.db, { limit: 100 });
    return items.find((item) => item.path === path)!;
  }

  const fetched = (path: string, init: RequestInit = {}) =>
    fetch(`${server.base}/iptv/artwork/${path}`, init);

  it('are found by a scan, with what the show has for its episodes', async () => {
    expect(await mediaAt(episode)).toMatchObject({
      artwork: { poster: 'Show/poster.jpg', still: 'Show/Season 01/Show - S01E02 - Two-thumb.png' },
      credits: { directors: ['D & E'], writers: ['W'], actors: [{ name: 'Main', role: 'Hero' }] },
    });
    expect(await mediaAt(film)).toMatchObject({ artwork: null, credits: null });
  });

  it('are the same for a look at one file or one folder', async () => {
    const { signal } = new AbortController();
    for (const scope of [episode, 'Show/Season 01', 'Show', film, dirname(film)]) {
      const files = [];
      for await (const batch of walk({ root, scopes: [scope], signal })) files.push(...batch);
      expect(files).toHaveLength(1);
      expect(files[0]!.artwork ?? null).toEqual((await mediaAt(files[0]!.path)).artwork);
    }
  });

  it('are noticed when they come and go, and tell that something has changed', async () => {
    const before = changes;
    await library.scan(libraryId);
    expect(changes).toBe(before);
    await put('Film (2020)/poster.webp', 'the poster of the film');
    await library.scan(libraryId);
    expect(changes).toBe(before + 1);
    expect((await mediaAt(film)).artwork).toEqual({ poster: 'Film (2020)/poster.webp' });
    await rm(join(root, 'Film (2020)/poster.webp'));
    await library.scan(libraryId);
    expect(changes).toBe(before + 2);
    expect((await mediaAt(film)).artwork).toBeNull();
  });

  it('are sent by kind, or the one that stands for the media, with what a cache wants to know', async () => {
    const { id } = await mediaAt(episode);
    for (const [path, type, text] of [
      [`${id}.jpg`, 'image/png', 'the still'],
      [`${id}/still.png`, 'image/png', 'the still'],
      [`${id}/poster.jpg`, 'image/jpeg', 'the poster of the show'],
    ] as const) {
      const whole = await fetched(path);
      expect(whole.status).toBe(200);
      expect(whole.headers.get('content-type')).toBe(type);
      expect(whole.headers.get('content-length')).toBe(`${text.length}`);
      expect(whole.headers.get('x-content-type-options')).toBe('nosniff');
      expect(whole.headers.get('cache-control')).toMatch(/max-age=\d+/);
      expect(await whole.text()).toBe(text);
      const head = await fetched(path, { method: 'HEAD' });
      expect(head.status).toBe(200);
      for (const name of ['content-type', 'content-length', 'etag', 'last-modified']) {
        expect(head.headers.get(name)).toBe(whole.headers.get(name));
      }
      const etag = whole.headers.get('etag')!;
      expect((await fetched(path, { headers: { 'if-none-match': etag } })).status).toBe(304);
    }
  });

  it('have another tag when they are another', async () => {
    const { id } = await mediaAt(episode);
    const etag = (await fetched(`${id}/poster.jpg`)).headers.get('etag')!;
    await put('Show/poster.jpg', 'the Poster of the show');
    const again = await fetched(`${id}/poster.jpg`, { headers: { 'if-none-match': etag } });
    expect(again.status).toBe(200);
    expect(await again.text()).toContain('Poster');
  });

  it('that are not there are 404, and so is what names no media', async () => {
    const { id } = await mediaAt(episode);
    for (const path of [
      `${id}/backdrop.jpg`,
      `${(await mediaAt(film)).id}.jpg`,
      '00000000-0000-4000-8000-000000000000.jpg',
      'no-uuid.jpg',
      `${id}/../../etc/passwd`,
      `${id}/poster.svg`,
      `${id}/poster`,
      `${id}/constructor.jpg`,
    ]) {
      expect((await fetched(path)).status).toBe(404);
    }
  });

  it('are never anything outside of the library, nor anything but plain files', async () => {
    const { id } = await mediaAt(film);
    await writeFile(join(folder, 'secret.jpg'), 'secret');
    await mkdir(join(folder, 'outside'));
    await writeFile(join(folder, 'outside/secret.jpg'), 'secret');
    await symlink(join(folder, 'secret.jpg'), join(root, 'link.jpg'));
    await symlink(join(folder, 'outside'), join(root, 'linked'));
    await symlink('Show/poster.jpg', join(root, 'inside.jpg'));
    await mkdir(join(root, 'folder.jpg'));
    execFileSync('mkfifo', [join(root, 'fifo.jpg')]);
    const status = async (poster: string) => {
      const artwork = { poster };
      await database.db.update(schema.media).set({ artwork }).where(eq(schema.media.id, id));
      const answer = await fetched(`${id}/poster.jpg`);
      await answer.arrayBuffer();
      return answer.status;
    };
    for (const path of [
      'link.jpg',
      'linked/secret.jpg',
      '../secret.jpg',
      join(folder, 'secret.jpg'),
      'folder.jpg',
      'fifo.jpg',
      'Show/tvshow.nfo',
      'gone.jpg',
      'nul\\0.jpg',
    ]) {
      expect(await status(path)).toBe(404);
    }
    expect(await status('inside.jpg')).toBe(200);
  });
});
