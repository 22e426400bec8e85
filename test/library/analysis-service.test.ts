import { copyFile, mkdir, readdir, readFile, rename, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eq } from 'drizzle-orm';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { configSchema } from '../../src/config.ts';
import { listMedia, type Media } from '../../src/db/media.ts';
import { channels, media } from '../../src/db/schema.ts';
import { type AnalysisDeps, AnalysisService } from '../../src/library/analysis-service.ts';
import { LibraryService } from '../../src/library/library-service.ts';
import { planChannel } from '../../src/playout/plan-channel.ts';
import { aChannel, aCollection, hour, minute, rowsOf, t0 } from '../playout/station.ts';
import { databases, type TestDatabase } from '../support/databases.ts';
import { ffmpeg, ffmpegPath, probePath, slowFfmpeg, temporaryFolder, toneOf } from './clips.ts';

const log = pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' });
const settings = configSchema.parse({});
const soon = { timeout: 15_000, interval: 20 };
const never = new AbortController().signal;

describe.each(databases)('the analysis on $name', ({ name, open }) => {
  let database: TestDatabase;
  let folder: string;
  let remove: () => Promise<void>;
  let root: string;
  let notes: string;
  /** An ffmpeg that notes down each of its runs. */
  let counting: string;
  let library: LibraryService;
  let libraryId: string;
  let roots = 0;
  const services: AnalysisService[] = [];

  beforeAll(async () => {
    database = await open();
    ({ folder, remove } = await temporaryFolder());
    await ffmpeg([...toneOf(-14), '-t', '2', '-c:a', 'flac', join(folder, 'loud.mkv')]);
    await ffmpeg([...toneOf(-30), '-t', '2', '-c:a', 'flac', join(folder, 'quiet.mkv')]);
    await ffmpeg([...toneOf(-20), '-t', '60', '-c:a', 'flac', join(folder, 'long.mkv')]);
    await ffmpeg(['-f', 'lavfi', '-i', 'testsrc=s=64x36:r=5', '-t', '2', join(folder, 'mute.mkv')]);
    notes = join(folder, 'notes');
    counting = join(folder, 'counting-ffmpeg');
    await writeFile(counting, `#!/bin/sh\necho run >> ${notes}\nexec ${ffmpegPath} "$@"\n`, { mode: 0o755 });
  });
  afterAll(async () => {
    await database.stop();
    await remove();
  });
  beforeEach(async () => {
    root = join(folder, `library ${++roots}`);
    await mkdir(root);
    await writeFile(notes, '');
    library = new LibraryService({
      db: database.db,
      log,
      config: { ...settings.library, watch: false, settleMs: 0 },
      ffmpeg: { ...settings.ffmpeg, probePath },
    });
  });
  afterEach(async () => {
    for (const service of services.splice(0)) service.stop();
    await library.stop();
    await database.db.delete(channels);
    await database.sql`delete from libraries`;
  });

  function analysis(
    deps: Partial<Omit<AnalysisDeps, 'config'>> & { config?: Partial<AnalysisDeps['config']> } = {},
  ) {
    const service = new AnalysisService({
      db: database.db,
      log,
      ffmpegPath: counting,
      onLoudness: () => {},
      onBreaks: () => {},
      ...deps,
      config: { ...settings.library.analysis, ...deps.config },
    });
    services.push(service);
    return service;
  }

  async function put(path: string, from: 'loud' | 'quiet' | 'mute' | 'long' = 'loud'): Promise<string> {
    await copyFile(join(folder, `${from}.mkv`), join(root, path));
    return join(root, path);
  }

  async function scan(): Promise<void> {
    libraryId = (await library.list())[0]?.id ?? (await library.add({ name: 'Test', path: root })).id;
    expect(await library.scan(libraryId)).toMatchObject({ state: 'done' });
  }

  async function row(path: string): Promise<Media> {
    const { items } = await listMedia(database.db, { limit: 100 });
    return items.find((item) => item.path === path)!;
  }

  const runs = async () => (await readFile(notes, 'utf8')).split('\n').length - 1;

  it('measures each file once, and tells of it', async () => {
    await put('a.mkv');
    await put('b.mkv', 'quiet');
    await put('c.mkv', 'mute');
    await scan();
    const told = new Map<string, unknown>();
    const service = analysis({ onLoudness: (id, loudness) => told.set(id, loudness) });
    expect(await service.run(never)).toEqual({ analysed: 3, failed: 0, skipped: 0 });
    const at = expect.any(Number);
    const measured = { kind: 'measured', truePeakDb: expect.any(Number), at };
    expect((await row('a.mkv')).loudness).toEqual({ ...measured, lufs: expect.closeTo(-14, 0) });
    expect((await row('b.mkv')).loudness).toEqual({ ...measured, lufs: expect.closeTo(-30, 0) });
    expect((await row('c.mkv')).loudness).toEqual({ kind: 'silent', at });
    for (const path of ['a.mkv', 'b.mkv', 'c.mkv']) {
      const { id, loudness, breaks } = await row(path);
      // As the database has it: what is compared with it later must not differ in the order of its keys.
      expect(JSON.stringify(told.get(id))).toBe(JSON.stringify(loudness));
      expect(breaks).toBeNull();
    }
    // Without sound there is nothing to be run for.
    expect(await runs()).toBe(2);
    expect(service.progress()).toEqual({ loudness: { done: 3, total: 3, failed: 0 }, failures: [] });

    await scan();
    expect(await service.run(never)).toEqual({ analysed: 0, failed: 0, skipped: 0 });
    expect(await analysis().run(never)).toEqual({ analysed: 0, failed: 0, skipped: 0 });
    expect(await runs()).toBe(2);
  });

  it('measures a file anew when it has changed', async () => {
    const path = await put('a.mkv');
    await scan();
    const service = analysis();
    await service.run(never);
    const before = await row('a.mkv');
    await put('a.mkv', 'quiet');
    await utimes(path, 1_700_000_000, 1_700_000_000);
    await scan();
    expect((await row('a.mkv')).loudness).toBeNull();
    await service.run(never);
    const after = await row('a.mkv');
    expect(after.id).toBe(before.id);
    expect(after.loudness).toMatchObject({ kind: 'measured', lufs: expect.closeTo(-30, 0) });
  });

  it('knows a file again that has been renamed', async () => {
    const path = await put('old.mkv');
    await scan();
    const service = analysis();
    await service.run(never);
    const { loudness } = await row('old.mkv');
    await rename(path, join(root, 'new.mkv'));
    // One that is there as well, and is another.
    await put('other.mkv', 'quiet');
    await scan();
    expect(await service.run(never)).toMatchObject({ analysed: 2 });
    expect((await row('new.mkv')).loudness).toEqual(loudness);
    expect((await row('other.mkv')).loudness).toMatchObject({ lufs: expect.closeTo(-30, 0) });
    expect(await runs()).toBe(2);
  });

  it('says why a file cannot be measured, and tries it again when it has changed', async () => {
    const path = await put('a.mkv');
    await utimes(path, 1_600_000_000, 1_600_000_000);
    await put('b.mkv');
    await scan();
    // It has become something else, and does not show it.
    await writeFile(path, Buffer.alloc((await stat(path)).size, 'x'));
    await utimes(path, 1_600_000_000, 1_600_000_000);
    const service = analysis();
    expect(await service.run(never)).toEqual({ analysed: 1, failed: 1, skipped: 0 });
    const reason = expect.stringContaining('not a Matroska file');
    expect((await row('a.mkv')).loudness).toEqual({ kind: 'failed', reason, at: expect.any(Number) });
    expect(service.progress()).toEqual({
      loudness: { done: 2, total: 2, failed: 1 },
      failures: [{ kind: 'loudness', path: 'a.mkv', reason }],
    });
    expect(await service.run(never)).toEqual({ analysed: 0, failed: 0, skipped: 0 });
    expect(await runs()).toBe(2);
    await put('a.mkv');
    await utimes(path, 1_700_000_000, 1_700_000_000);
    await scan();
    expect(await service.run(never)).toEqual({ analysed: 1, failed: 0, skipped: 0 });
  });

  it('begins with what is on the air soon, and goes on with what is new', async () => {
    for (const title of ['a', 'b', 'c', 'd']) await put(`${title}.mkv`);
    await scan();
    const ids = new Map<string, string>();
    for (const [index, title] of ['a', 'b', 'c', 'd'].entries()) {
      const { id } = await row(`${title}.mkv`);
      ids.set(id, title);
      // A timeline of two hours has few rows.
      const change = { addedAt: t0 - index * hour, durationMs: 30 * minute };
      await database.db.update(media).set(change).where(eq(media.id, id));
    }
    const idOf = (title: string) => [...ids].find(([, other]) => other === title)![0];
    const channel = await aChannel(database.db, await aCollection(database.db, [idOf('d'), idOf('c')]));
    await planChannel(database.db, { channelId: channel.id, now: t0, until: t0 + 2 * hour, freezeMs: 0 });
    const order: string[] = [];
    const service = analysis({ now: () => t0 + 40 * minute, onLoudness: (id) => order.push(ids.get(id)!) });
    await service.run(never);
    expect(order).toEqual(['c', 'd', 'a', 'b']);
  });

  it('finds breaks of long recordings without chapters, at which filler interrupts them', async () => {
    const black = "drawbox=color=black:t=fill:enable='between(t,150,152)'";
    await ffmpeg([
      ...['-f', 'lavfi', '-i', `testsrc=s=64x36:r=5,${black}`, '-t', '320'],
      ...['-c:v', 'libx264', '-preset', 'ultrafast', join(root, 'film.mkv')],
    ]);
    const chapters = join(folder, 'chapters.txt');
    const chapter = (from: number, to: number) => `[CHAPTER]\nTIMEBASE=1/1\nSTART=${from}\nEND=${to}\n`;
    await writeFile(chapters, `;FFMETADATA1\n${chapter(0, 100)}${chapter(100, 320)}`);
    const from = ['-i', join(root, 'film.mkv'), '-i', chapters, '-map', '0', '-map_chapters', '1'];
    await ffmpeg([...from, '-c', 'copy', join(root, 'with chapters.mkv')]);
    await put('short.mkv', 'mute');
    await scan();
    let told = 0;
    const service = analysis({ config: { loudness: false, breaks: true }, onBreaks: () => told++ });
    expect(await service.run(never)).toEqual({ analysed: 1, failed: 0, skipped: 0 });
    expect(told).toBe(1);
    const { breaks } = await row('film.mkv');
    if (breaks?.kind !== 'found') throw new Error(JSON.stringify(breaks));
    expect(breaks.breaksMs).toHaveLength(1);
    const [at] = breaks.breaksMs;
    expect(Math.abs(at! - 151_000)).toBeLessThan(300);
    expect((await row('with chapters.mkv')).breaks).toBeNull();

    const film1 = await row('film.mkv');
    const film2 = await row('with chapters.mkv');
    const filler = await aCollection(database.db, [(await row('short.mkv')).id]);
    const films = await aCollection(database.db, [film1.id, film2.id]);
    const channel = await aChannel(database.db, films, { filler: { mid: { from: filler, count: 1 } } });
    const plan = { channelId: channel.id, now: t0, until: t0 + 10 * minute, freezeMs: 0 };
    await planChannel(database.db, plan);
    const pieces = (await rowsOf(database.db, channel.id))
      .slice(0, 6)
      .map(({ kind, mediaId, inMs, outMs }) => [kind, mediaId === film2.id, inMs, outMs]);
    expect(pieces).toEqual([
      ['program', false, 0, at],
      ['filler', false, 0, expect.any(Number)],
      ['program', false, at, film1.durationMs],
      ['program', true, 0, 100_000],
      ['filler', false, 0, expect.any(Number)],
      ['program', true, 100_000, film2.durationMs],
    ]);
  });

  // What has little to do with the database.
  if (name === 'embedded') {
    it('can be ended amid a file, leaves no process, and goes on with that file', async () => {
      await put('long.mkv', 'long');
      await scan();
      const slow = await slowFfmpeg(join(folder, 'slow-ffmpeg'));
      const service = analysis({ ffmpegPath: slow });
      const end = new AbortController();
      const run = service.run(end.signal);
      await vi.waitFor(async () => expect(await commandsWith(root)).toHaveLength(1), soon);
      expect(service.progress()).toMatchObject({
        loudness: { done: 0, total: 1 },
        current: { kind: 'loudness', path: 'long.mkv' },
      });
      expect(service.processes).toBe(1);
      end.abort(new Error('the server stops'));
      expect(await run).toEqual({ analysed: 0, failed: 0, skipped: 0 });
      expect(await commandsWith(root)).toEqual([]);
      service.stop();
      expect(service.progress().current).toBeUndefined();
      expect((await row('long.mkv')).loudness).toBeNull();
      expect(await analysis().run(never)).toEqual({ analysed: 1, failed: 0, skipped: 0 });
    });

    it('ends with the server, however that ends', async () => {
      await put('long.mkv', 'long');
      await scan();
      const service = analysis({ ffmpegPath: await slowFfmpeg(join(folder, 'slow-ffmpeg')) });
      const run = service.run(never);
      await vi.waitFor(async () => expect(await commandsWith(root)).toHaveLength(1), soon);
      // The connection to its process is lost, as it is when the server is killed.
      service.stop();
      expect(await run).toEqual({ analysed: 0, failed: 0, skipped: 1 });
      await vi.waitFor(async () => expect(await commandsWith(root)).toEqual([]), soon);
    });

    it('records nothing of files that are not there, or when ffmpeg is not', async () => {
      await put('a.mkv');
      await put('b.mkv');
      await scan();
      await rename(root, `${root} away`);
      expect(await analysis().run(never)).toEqual({ analysed: 0, failed: 0, skipped: 2 });
      await rename(`${root} away`, root);
      const without = analysis({ ffmpegPath: join(folder, 'no-ffmpeg') });
      await expect(without.run(never)).rejects.toThrow('ffmpeg cannot be started');
      expect(without.progress().current).toBeUndefined();
      expect((await row('a.mkv')).loudness).toBeNull();
      expect(await analysis().run(never)).toEqual({ analysed: 2, failed: 0, skipped: 0 });
    });

    it('does nothing of what is not wanted', async () => {
      await put('a.mkv');
      await scan();
      const config = { loudness: false };
      expect(await analysis({ config }).run(never)).toEqual({ analysed: 0, failed: 0, skipped: 0 });
      expect(AnalysisService.isWanted({ ...settings.library.analysis, ...config })).toBe(false);
    });
  }
});

/** Processes with a text in their command line. */
async function commandsWith(text: string): Promise<string[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(
    names.map((name) => readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')),
  );
  return commands.filter((command) => command.includes(text));
}
