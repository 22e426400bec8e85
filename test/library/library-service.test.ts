import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import {
  appendFile,
  chmod,
  copyFile,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { listMedia, type Media } from '../../src/db/media.ts';
import { ConflictError, InvalidError, NotFoundError } from '../../src/errors.ts';
import { LibraryService } from '../../src/library/library-service.ts';
import type { ScanProgress } from '../../src/library/progress.ts';
import { databases, type TestDatabase } from '../support/databases.ts';
import { fast, makeClip, probePath, temporaryFolder } from './clips.ts';

const log = pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' });
const settings = loadConfig({});
const soon = { timeout: 15_000, interval: 50 };

/** Ids of this process's children with such a command line. */
async function childrenThatRun(program: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    const read = (file: string) => readFile(`/proc/${name}/${file}`, 'utf8').catch(() => '');
    const parent = Number((await read('stat')).split(') ')[1]?.split(' ')[1]);
    if (parent === process.pid && (await read('cmdline')).includes(program)) found.push(Number(name));
  }
  return found;
}

describe.each(databases)('the library on $name', ({ open }) => {
  let database: TestDatabase;
  let folder: string;
  let remove: () => Promise<void>;
  let clip: string;
  let root: string;
  let libraries = 0;
  const services: LibraryService[] = [];

  beforeAll(async () => {
    database = await open();
    ({ folder, remove } = await temporaryFolder());
    clip = await makeClip(join(folder, 'clip.mkv'));
    // Files that are made by a copy are a little old, so that they count as whole.
    await utimes(clip, 1_600_000_000, 1_600_000_000);
  });
  afterAll(async () => {
    await database.stop();
    await remove();
  });
  beforeEach(async () => {
    root = join(folder, `library ${++libraries}`);
    await mkdir(root);
  });
  afterEach(async () => {
    await Promise.all(services.splice(0).map((service) => service.stop()));
    await database.sql`delete from libraries`;
  });

  function create(change: Partial<typeof settings.library> = {}, ffprobe = probePath) {
    const changes: string[] = [];
    const service = new LibraryService({
      db: database.db,
      log,
      config: { ...settings.library, watch: false, settleMs: 0, ...change },
      ffmpeg: { ...settings.ffmpeg, probePath: ffprobe },
      onChange: (id) => changes.push(id),
    });
    services.push(service);
    return { service, changes };
  }

  async function put(path: string, from = clip): Promise<string> {
    const to = join(root, path);
    await mkdir(dirname(to), { recursive: true });
    await copyFile(from, to);
    return to;
  }

  async function rows(): Promise<Record<string, Media>> {
    const { items } = await listMedia(database.db, { limit: 1000 });
    return Object.fromEntries(items.map((item) => [item.path, item]));
  }

  async function states(): Promise<Record<string, Media['state']>> {
    return Object.fromEntries(Object.entries(await rows()).map(([path, { state }]) => [path, state]));
  }

  async function scanned(service: LibraryService): Promise<{ id: string; progress: ScanProgress }> {
    const { id } = await service.add({ name: 'Test', path: root });
    return { id, progress: await service.scan(id) };
  }

  test('lists what can be aired with its streams and its names, and what cannot with a reason', async () => {
    await put('Shows/The Show/Season 01/The Show - S01E02 - Two.mkv');
    await put('Movie (2020)/Movie (2020).mkv');
    await put(`odd "names"; rm -rf $(x)/-y 'q' %20 😀.mkv`);
    await makeClip(join(root, 'silent.mp4'), ['-an', ...fast]);
    await makeClip(join(root, 'dark.mkv'), ['-vn', ...fast]);
    await writeFile(join(root, 'empty.mkv'), '');
    await writeFile(join(root, 'text.mkv'), 'no recording\n'.repeat(100));
    await makeClip(join(root, 'cut.mp4'));
    await truncate(join(root, 'cut.mp4'), 6_000);
    await makeClip(join(root, 'half.mkv'));
    await truncate(join(root, 'half.mkv'), Math.floor((await stat(join(root, 'half.mkv'))).size / 2));
    const { service, changes } = create();
    const { id, progress } = await scanned(service);
    expect(progress).toMatchObject({ state: 'done', found: 9, total: 9, probed: 5, failed: 4, pending: 0 });
    expect(changes).toEqual([id]);

    const found = await rows();
    expect(found['Shows/The Show/Season 01/The Show - S01E02 - Two.mkv']).toMatchObject({
      state: 'ready',
      kind: 'episode',
      show: 'The Show',
      season: 1,
      episode: 2,
      title: 'Two',
      probe: { video: { codec: 'h264', width: 160, height: 120 }, audio: { codec: 'aac', channels: 2 } },
    });
    expect(found['Shows/The Show/Season 01/The Show - S01E02 - Two.mkv']?.durationMs).toBeGreaterThan(980);
    expect(found['Movie (2020)/Movie (2020).mkv']).toMatchObject({
      kind: 'movie',
      title: 'Movie',
      year: 2020,
    });
    expect(found[`odd "names"; rm -rf $(x)/-y 'q' %20 😀.mkv`]?.state).toBe('ready');
    expect(found['silent.mp4']?.probe?.audio).toBeUndefined();
    expect(found['dark.mkv']?.probe?.video).toBeUndefined();
    const failed = { state: 'failed', durationMs: null, probe: null };
    expect(found['empty.mkv']).toMatchObject({ ...failed, reason: 'the file is empty' });
    expect(found['text.mkv']).toMatchObject({ ...failed, reason: expect.stringContaining('not a Matroska') });
    expect(found['cut.mp4']).toMatchObject({ ...failed, reason: expect.stringContaining('moov atom') });
    expect(found['half.mkv']).toMatchObject({
      ...failed,
      reason: expect.stringMatching(/^the file is not complete: (49|50) % of it is there$/),
    });
  });

  test('probes nothing twice that has not changed, not even what failed', async () => {
    await put('a.mkv');
    await writeFile(join(root, 'b.mkv'), '');
    const { service, changes } = create();
    const { id } = await scanned(service);
    changes.length = 0;
    expect(await service.scan(id)).toMatchObject({ state: 'done', found: 2, unchanged: 2, total: 0 });
    expect(changes).toEqual([]);
    await appendFile(join(root, 'a.mkv'), 'x');
    await copyFile(clip, join(root, 'b.mkv'));
    expect(await service.scan(id)).toMatchObject({ unchanged: 0, total: 2, probed: 2 });
    expect(await states()).toEqual({ 'a.mkv': 'ready', 'b.mkv': 'ready' });
  });

  test('leaves out samples, extras, hidden files, half downloads and what is no recording', async () => {
    await put('a.mkv');
    const unwanted = [
      '.hidden.mkv',
      '.trash/b.mkv',
      '@eaDir/c.mkv',
      'Movie/Sample/d.mkv',
      'Movie/movie-sample.mkv',
      'Movie/Extras/e.mkv',
      'f.mkv.part',
      'g.mkv.!qB',
      'h.part.mkv',
      'i.jpg',
      'j',
    ];
    for (const path of unwanted) await put(path);
    const { service } = create();
    await scanned(service);
    expect(Object.keys(await rows())).toEqual(['a.mkv']);
  });

  test('follows links within the folder once, and none out of it', async () => {
    await put('real/a.mkv');
    await mkdir(join(folder, `outside ${libraries}`));
    const outside = join(folder, `outside ${libraries}`);
    await copyFile(clip, join(outside, 'secret.mkv'));
    await symlink(outside, join(root, 'out'));
    await symlink(join(outside, 'secret.mkv'), join(root, 'out.mkv'));
    await symlink(`../../outside ${libraries}`, join(root, 'real', 'up'));
    await symlink(root, join(root, 'real', 'loop'));
    await symlink('real', join(root, 'again'));
    await symlink('real/a.mkv', join(root, 'alias.mkv'));
    await symlink('nowhere', join(root, 'dangling.mkv'));
    const { service } = create();
    const { progress } = await scanned(service);
    expect(progress.state).toBe('done');
    expect(await states()).toEqual({ 'real/a.mkv': 'ready', 'alias.mkv': 'ready' });
  });

  test('marks what is renamed or deleted, and takes it back without probing it', async () => {
    await put('a.mkv');
    await put('b.mkv');
    const { service } = create();
    const { id } = await scanned(service);
    const before = await rows();
    await rename(join(root, 'a.mkv'), join(root, 'c.mkv'));
    await rm(join(root, 'b.mkv'));
    expect(await service.scan(id)).toMatchObject({ total: 1, probed: 1, unavailable: 2 });
    expect(await states()).toEqual({ 'a.mkv': 'unavailable', 'b.mkv': 'unavailable', 'c.mkv': 'ready' });
    expect((await rows())['a.mkv']?.reason).toBe('the file is not there');
    await rename(join(root, 'c.mkv'), join(root, 'a.mkv'));
    expect(await service.scan(id)).toMatchObject({ total: 0, unchanged: 1, unavailable: 1 });
    expect((await rows())['a.mkv']).toMatchObject({
      id: before['a.mkv']?.id,
      state: 'ready',
      reason: null,
      durationMs: before['a.mkv']?.durationMs,
    });
  });

  test('takes an empty or missing folder for a disk that is away', async () => {
    await put('a.mkv');
    await put('sub/b.mkv');
    const { service } = create();
    const { id } = await scanned(service);
    await rename(root, `${root} away`);
    expect(await service.scan(id)).toMatchObject({
      state: 'failed',
      error: expect.stringContaining('cannot be read'),
    });
    await mkdir(root);
    const emptied = await service.scan(id);
    expect(emptied.state).toBe('failed');
    expect(emptied.error).toContain('holds no media any more');
    expect(await states()).toEqual({ 'a.mkv': 'ready', 'sub/b.mkv': 'ready' });
    await rm(root, { recursive: true });
    await rename(`${root} away`, root);
    expect(await service.scan(id)).toMatchObject({ state: 'done', unchanged: 2, total: 0 });
  });

  test('an empty folder is a library without media', async () => {
    const { service } = create();
    const { progress } = await scanned(service);
    expect(progress).toMatchObject({ state: 'done', found: 0 });
    expect(progress.error).toBeUndefined();
  });

  test('a file that is being written is listed only when it is whole, by itself', async () => {
    await put('old.mkv');
    const { service } = create({ watch: true, settleMs: 1_000 });
    await service.start();
    await scanned(service);
    await vi.waitFor(async () => expect(await states()).toEqual({ 'old.mkv': 'ready' }), soon);

    const bytes = await readFile(clip);
    const file = createWriteStream(join(root, 'new.mkv'));
    const part = Math.ceil(bytes.length / 8);
    for (let at = 0; at < bytes.length; at += part) {
      file.write(bytes.subarray(at, at + part));
      await new Promise((done) => setTimeout(done, 300));
      expect(await states()).toEqual({ 'old.mkv': 'ready' });
    }
    file.end();
    await once(file, 'close');
    const written = performance.now();
    await vi.waitFor(async () => {
      expect(await states()).toEqual({ 'old.mkv': 'ready', 'new.mkv': 'ready' });
    }, soon);
    expect(performance.now() - written).toBeGreaterThan(600);
    expect(performance.now() - written).toBeLessThan(10_000);
  });

  test('a file with a time in the future, as of a share with a wrong clock, is listed too', async () => {
    const path = await put('future.mkv');
    await utimes(path, Date.now() / 1000 + 86_400, Date.now() / 1000 + 86_400);
    const { service } = create({ settleMs: 500 });
    const { progress } = await scanned(service);
    expect(progress).toMatchObject({ pending: 1, total: 0 });
    await vi.waitFor(async () => expect(await states()).toEqual({ 'future.mkv': 'ready' }), soon);
  });

  test('what is written anew is not aired until it is whole', async () => {
    const path = await put('a.mkv');
    const { service } = create({ settleMs: 500 });
    const { id } = await scanned(service);
    await vi.waitFor(async () => expect(await states()).toEqual({ 'a.mkv': 'ready' }), soon);
    await truncate(path, 1_000);
    expect(await service.scan(id)).toMatchObject({ pending: 1 });
    expect((await rows())['a.mkv']).toMatchObject({ state: 'unavailable', reason: 'it is being written to' });
    await copyFile(clip, path);
    await vi.waitFor(async () => expect(await states()).toEqual({ 'a.mkv': 'ready' }), soon);
  });

  test('sees new, renamed and deleted files and folders while it runs', async () => {
    await put('a.mkv');
    await put('deep/b.mkv');
    const { service } = create({ watch: true });
    await scanned(service);
    await put('new folder.2020/deeper/c.mkv');
    await rename(join(root, 'deep/b.mkv'), join(root, 'deep/d.mkv'));
    await vi.waitFor(async () => {
      expect(await states()).toEqual({
        'a.mkv': 'ready',
        'deep/b.mkv': 'unavailable',
        'deep/d.mkv': 'ready',
        'new folder.2020/deeper/c.mkv': 'ready',
      });
    }, soon);
    await rm(join(root, 'deep'), { recursive: true });
    await put('new folder.2020/deeper/e.mkv');
    await vi.waitFor(async () => {
      expect(await states()).toMatchObject({
        'deep/d.mkv': 'unavailable',
        'new folder.2020/deeper/e.mkv': 'ready',
      });
    }, soon);
    await put('deep/f.mkv');
    await vi.waitFor(async () => expect(await states()).toMatchObject({ 'deep/f.mkv': 'ready' }), soon);
    await put('deep/g.mkv');
    await vi.waitFor(async () => expect(await states()).toMatchObject({ 'deep/g.mkv': 'ready' }), soon);
    await writeFile(join(root, 'a.nfo'), '<movie><title>By its NFO</title><genre>Art</genre></movie>');
    await vi.waitFor(async () => {
      expect((await rows())['a.mkv']).toMatchObject({ title: 'By its NFO', kind: 'movie', genres: ['Art'] });
    }, soon);
  });

  test('while it is watched, a folder that loses everything loses nothing in the library', async () => {
    await put('a.mkv');
    await put('b.mkv');
    const { service } = create({ watch: true });
    const { id } = await scanned(service);
    await rm(join(root, 'a.mkv'));
    await rm(join(root, 'b.mkv'));
    await vi.waitFor(() => expect(service.progress(id).state).toBe('failed'), soon);
    expect(await states()).toEqual({ 'a.mkv': 'ready', 'b.mkv': 'ready' });
  });

  test('reads a changed NFO without probing, and the show from tvshow.nfo', async () => {
    await put('Show/Season 1/show.s01e01.mkv');
    const { service } = create();
    const { id } = await scanned(service);
    await writeFile(join(root, 'Show/tvshow.nfo'), '<tvshow><title>Die Sendung</title></tvshow>');
    await writeFile(
      join(root, 'Show/Season 1/show.s01e01.nfo'),
      '<episodedetails><title>Eins</title><episode>7</episode><aired>2020-01-02</aired></episodedetails>',
    );
    expect(await service.scan(id)).toMatchObject({ unchanged: 1, total: 0, probed: 0 });
    expect((await rows())['Show/Season 1/show.s01e01.mkv']).toMatchObject({
      state: 'ready',
      show: 'Die Sendung',
      title: 'Eins',
      season: 1,
      episode: 7,
      aired: '2020-01-02',
    });
  });

  test('probes no more files at a time than it may, and all of many', async () => {
    const counter = join(folder, 'counting-ffprobe');
    const notes = join(folder, 'notes');
    await writeFile(
      counter,
      `#!/bin/sh\necho + >> ${notes}\n${probePath} "$@"\ns=$?\necho - >> ${notes}\nexit $s\n`,
    );
    await chmod(counter, 0o755);
    for (let n = 0; n < 20; n++) await put(`${n}.mkv`);
    const { service } = create({ probes: 3 }, counter);
    const { progress } = await scanned(service);
    expect(progress).toMatchObject({ state: 'done', total: 20, probed: 20, failed: 0 });
    let running = 0;
    let most = 0;
    for (const line of (await readFile(notes, 'utf8')).trim().split('\n')) {
      running += line === '+' ? 1 : -1;
      most = Math.max(most, running);
    }
    expect(running).toBe(0);
    expect(most).toBe(3);
  });

  test('goes on when the process that inspects is killed', async () => {
    for (let n = 0; n < 16; n++) await put(`${n}.mkv`);
    const { service } = create();
    const { id } = await service.add({ name: 'Test', path: root });
    const scan = service.scan(id);
    await vi.waitFor(() => expect(service.progress(id).probed).toBeGreaterThan(1), soon);
    const [inspector] = await childrenThatRun('inspector-process.js');
    if (inspector === undefined) throw new Error('there is no inspector');
    process.kill(inspector, 'SIGKILL');
    expect(await scan).toMatchObject({ state: 'done', probed: 16, failed: 0 });
  });

  test('without ffprobe the scan fails, and no file does', async () => {
    await put('a.mkv');
    const { service } = create({}, join(folder, 'no-ffprobe'));
    const { progress } = await scanned(service);
    expect(progress).toMatchObject({
      state: 'failed',
      error: expect.stringContaining('ffprobe cannot be started'),
    });
    expect(await states()).toEqual({});
  });

  test('tells of its progress, and the second scan joins the first', async () => {
    for (let n = 0; n < 8; n++) await put(`${n}.mkv`);
    const { service } = create();
    const told: ScanProgress[] = [];
    const unsubscribe = service.subscribe((progress) => told.push(progress));
    const { id } = await service.add({ name: 'Test', path: root });
    const [first, second] = await Promise.all([service.scan(id), service.scan(id)]);
    expect(first).toEqual(second);
    expect(first).toMatchObject({ state: 'done', total: 8, probed: 8 });
    expect(first.finishedAt).toBeGreaterThanOrEqual(first.startedAt ?? 0);
    await vi.waitFor(() => expect(told.at(-1)?.state).toBe('done'), soon);
    expect(told.some(({ state, current }) => state === 'probing' && current?.endsWith('.mkv'))).toBe(true);
    unsubscribe();
    const count = told.length;
    await service.scan(id);
    expect(told.length).toBe(count);
  });

  test('refuses folders that cannot be libraries', async () => {
    const { service } = create();
    const file = await put('a.mkv');
    const add = (path: string) => service.add({ name: 'Other', path });
    await expect(add(join(root, 'nowhere'))).rejects.toThrow(InvalidError);
    await expect(add(file)).rejects.toThrow(/not a folder/);
    await expect(add('/')).rejects.toThrow(InvalidError);
    await expect(add('a\0b')).rejects.toThrow(InvalidError);
    const library = await service.add({ name: 'Test', path: `${root}//` });
    expect(library.path).toBe(root);
    await mkdir(join(root, 'sub'));
    await symlink(root, `${root} link`);
    for (const path of [root, join(root, 'sub'), dirname(root), `${root} link`]) {
      await expect(add(path)).rejects.toThrow(ConflictError);
    }
    await mkdir(`${root}2`);
    expect((await add(`${root}2`)).path).toBe(`${root}2`);
    expect((await service.list()).map(({ name }) => name)).toEqual(['Other', 'Test']);
  });

  test('removes a library with its media, also while it is scanned', async () => {
    for (let n = 0; n < 10; n++) await put(`${n}.mkv`);
    const { service } = create();
    const { id } = await service.add({ name: 'Test', path: root });
    await vi.waitFor(() => expect(service.progress(id).state).toBe('probing'), soon);
    await service.remove(id);
    expect(await rows()).toEqual({});
    expect(() => service.progress(id)).toThrow(NotFoundError);
    await expect(service.scan(id)).rejects.toThrow(NotFoundError);
    await expect(service.remove(id)).rejects.toThrow(NotFoundError);
    expect((await stat(join(root, '1.mkv'))).isFile()).toBe(true);
  });

  test('stops in the middle of a scan, twice, and the next start goes on', async () => {
    for (let n = 0; n < 12; n++) await put(`${n}.mkv`);
    const first = create().service;
    const { id } = await first.add({ name: 'Test', path: root });
    await vi.waitFor(() => expect(first.progress(id).state).toBe('probing'), soon);
    const start = performance.now();
    await Promise.all([first.stop(), first.stop()]);
    expect(performance.now() - start).toBeLessThan(2_000);
    await vi.waitFor(async () => expect(await childrenThatRun('inspector-process.js')).toEqual([]), soon);
    const { service } = create();
    await service.start();
    await service.scan(id);
    expect(Object.values(await states()).filter((state) => state === 'ready')).toHaveLength(12);
  });
});
