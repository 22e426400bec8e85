import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ffmpeg, slowFfmpeg, toneOf } from '../library/clips.ts';
import { type RunningServer, startServer, until } from '../support/server.ts';

let server: RunningServer;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aircheck-analysis-'));
  await ffmpeg([...toneOf(-12), '-t', '3', '-c:a', 'flac', join(folder, 'loud.mkv')]);
  await ffmpeg([...toneOf(-30), '-t', '60', '-c:a', 'flac', join(folder, 'long.mkv')]);
  server = await startServer({
    AIRCHECK_LIBRARY_SETTLE_MS: '0',
    AIRCHECK_LIBRARY_ANALYSIS_LOUDNESS: 'true',
    AIRCHECK_FFMPEG_PATH: await slowFfmpeg(join(folder, 'ffmpeg')),
  });
}, 60_000);

afterAll(async () => {
  await server?.remove();
  await rm(folder, { recursive: true, force: true });
});

describe('the analysis of a server', () => {
  it('measures what a scan has found, shows how far it is, and ends with the server', async () => {
    await server.api('POST', '/libraries', { name: 'Tones', path: folder });
    const task = async () => {
      const { body } = await server.api('GET', '/tasks');
      return body.items.find(({ name }: { name: string }) => name === 'analysis');
    };
    // The newest first; of these two, that may be either.
    const long = await until('the long one is being measured', async () => {
      const { progress } = await task();
      return progress.current?.path === 'long.mkv' ? progress : undefined;
    });
    expect(long).toMatchObject({
      loudness: { done: expect.any(Number), total: 2, failed: 0 },
      current: { kind: 'loudness', since: expect.stringMatching(/^20.*Z$/) },
      failures: [],
    });
    expect((await task()).running).toBe(true);
    await until('its ffmpeg is there', async () => (await measuring()).length > 0 || undefined);
    expect(await server.end('SIGTERM')).toBe(0);
    expect(await measuring()).toEqual([]);
  });

  it('tells what it has found of a media', async () => {
    await rm(join(folder, 'long.mkv'));
    const again = await startServer(
      { AIRCHECK_LIBRARY_SETTLE_MS: '0', AIRCHECK_LIBRARY_ANALYSIS_LOUDNESS: 'true' },
      { data: server.data },
    );
    try {
      const media = await until('it is measured', async () => {
        const { body } = await again.api('GET', '/media?text=loud');
        return body.items[0]?.loudness === undefined ? undefined : body.items[0];
      });
      expect(media.loudness).toEqual({
        kind: 'measured',
        lufs: expect.closeTo(-12, 0),
        truePeakDb: expect.closeTo(-12, 0),
        at: expect.stringMatching(/^20.*Z$/),
      });
    } finally {
      await again.end('SIGKILL');
    }
  });

  async function measuring(): Promise<string[]> {
    const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const commands = await Promise.all(
      names.map((name) => readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')),
    );
    return commands.filter((command) => command.includes(`file:${folder}`) && command.includes('ebur128'));
  }
});
