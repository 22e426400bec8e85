import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { broadcastSamples, type TestChannel } from './broadcast.ts';
import { type RunningServer, startServer, until } from './server.ts';

export interface OnAir {
  server: RunningServer;
  channel: TestChannel;
  /** Of the recordings. */
  folder: string;
  viewer: Watching;
  end(): Promise<void>;
}

export interface Watching {
  bytes(): number;
  ended(): boolean;
  leave(): void;
}

/** The built server with one channel of one short clip, which somebody watches. */
export async function goOnAir(env: Record<string, string> = {}): Promise<OnAir> {
  const folder = await mkdtemp(join(tmpdir(), 'aircheck-clips-'));
  // A long one, so that a timeline of days has few rows and is planned in no time.
  makeClip(join(folder, 'clip.mp4'), 900);
  const server = await startServer({
    AIRCHECK_LIBRARY_SETTLE_MS: '0',
    AIRCHECK_PLAYOUT_HORIZON_HOURS: '48',
    ...env,
  });
  const [channel] = await broadcastSamples(server, { folder });
  if (channel === undefined) throw new Error('there is no channel');
  const viewer = watch(channel.url);
  await until('the channel is on air', () => viewer.bytes() > 0 || undefined);
  const end = async () => {
    viewer.leave();
    await server.remove();
    await rm(folder, { recursive: true, force: true });
  };
  return { server, channel, folder, viewer, end };
}

export function makeClip(file: string, seconds: number): void {
  const picture = ['-f', 'lavfi', '-i', `testsrc=s=320x180:r=5:d=${seconds}`];
  const codec = ['-c:v', 'libx264', '-preset', 'ultrafast'];
  execFileSync('ffmpeg', ['-nostdin', '-v', 'error', ...picture, ...codec, `file:${file}`]);
}

/** Reads a stream and counts. */
export function watch(url: string): Watching {
  let bytes = 0;
  let ended = false;
  const request = http.get(url, { agent: false }, (response) => {
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    response.on('close', () => {
      ended = true;
    });
  });
  request.on('error', () => {
    ended = true;
  });
  return { bytes: () => bytes, ended: () => ended, leave: () => request.destroy() };
}
