// node bench/loop.mjs [FILES=1000] [CHANNELS=5]: how late the streaming thread comes to its work with some
// channels on air, first by themselves and then while a library is scanned.
import { execFileSync } from 'node:child_process';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeChannels, startServer, until, watch } from './server.mjs';

const files = Number(process.argv[2] ?? 1_000);
const count = Number(process.argv[3] ?? 5);

const folder = await mkdtemp(join(tmpdir(), 'aircheck-scan-'));
const server = await startServer();
try {
  await makeFiles();
  const channels = await makeChannels(server, count, '480p');
  const viewers = channels.map(({ id }) => watch(`${server.base}/iptv/channel/${id}.ts`));
  const onAir = async () =>
    (await server.api('GET', '/streams')).items.filter((s) => s.state === 'programme').length;
  await until(async () => (await onAir()) === count);
  await pause(5_000);
  await delays();
  await pause(30_000);
  print(`${count} channels on air`, await delays());
  for (const viewer of viewers) viewer.reset();

  const library = await server.api('POST', '/libraries', { name: 'Many', path: folder });
  const begun = Date.now();
  let state;
  await until(async () => {
    state = await server.api('GET', `/libraries/${library.id}/scan`);
    return state.state === 'done';
  }, 900_000);
  print(`the same while ${state.probed} files are probed`, await delays());
  console.log(`the scan took ${Math.round((Date.now() - begun) / 1000)} s`);
  console.log(
    `longest time without a byte for a viewer: ${Math.max(...viewers.map((v) => v.worstGapMs()))} ms`,
  );
  console.log(`channels with the programme on at the end: ${await onAir()} of ${count}`);
  for (const viewer of viewers) viewer.leave();
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

async function makeFiles() {
  const first = join(folder, 'clip 0000.mp4');
  execFileSync('ffmpeg', [
    ...['-v', 'error', '-f', 'lavfi', '-i', 'testsrc=s=320x180:d=2', '-f', 'lavfi', '-i', 'sine=d=2'],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'aac', first],
  ]);
  for (let n = 1; n < files; n++)
    await copyFile(first, join(folder, `clip ${String(n).padStart(4, '0')}.mp4`));
}

async function delays() {
  return (await server.api('GET', '/server')).eventLoop;
}

function print(what, { p50Ms, p99Ms, maxMs, sinceMs }) {
  console.log(
    `${what}: p50 ${p50Ms} ms, p99 ${p99Ms} ms, max ${maxMs} ms over ${Math.round(sinceMs / 1000)} s`,
  );
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
