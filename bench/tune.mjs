// node bench/tune.mjs [TIMES=10]: how long a tune takes, cold and warm, beside a bare ffmpeg that does the same
// work from the same file. For every tune: the first byte, the first decoded picture, and the first decoded
// picture of the programme (which is not the slate's).
import { spawn } from 'node:child_process';
import http from 'node:http';
import { performance } from 'node:perf_hooks';
import { makeChannels, quantile, startServer, until } from './server.mjs';

const times = Number(process.argv[2] ?? 10);
const width = 64;
const height = 36;

const server = await startServer({ AIRCHECK_STREAMING_LINGER_MS: '300' });
try {
  const [channel] = await makeChannels(server, 1);
  const url = `${server.base}/iptv/channel/${channel.id}.ts`;
  await pause(3_000);
  const rows = { cold: [], warm: [], bare: [] };
  for (let i = 0; i < times; i++) {
    await until(async () => (await server.api('GET', '/streams')).total === 0);
    await pause(500 + Math.random() * 2_000);
    await until(hasPicture);
    rows.bare.push(await bareFfmpeg(channel));
    rows.cold.push(await tune(url));
  }
  const holder = http.get(url, (response) => response.resume());
  await pause(5_000);
  for (let i = 0; i < times; i++) {
    await pause(200 + Math.random() * 1_000);
    await until(hasPicture);
    rows.warm.push(await tune(url));
  }
  holder.destroy();
  report(rows);

  /** A recording without a picture looks like the slate, and one that ends now is not what is tuned in to. */
  async function hasPicture() {
    const { item } = await server.api('GET', `/channels/${channel.id}/now`);
    const { width } = await server.api('GET', `/media/${item.media.id}`);
    return width !== undefined && Date.parse(item.stop) > Date.now() + 3_000;
  }
} finally {
  await server.stop();
}

/** Reads a channel into a decoder, whose probing is that of a player which starts fast. */
function tune(url) {
  return new Promise((resolve, reject) => {
    const decoder = decode();
    const begun = performance.now();
    const row = {};
    const request = http.get(url, (response) => {
      row.status = response.statusCode;
      response.on('data', (bytes) => {
        row.firstByte ??= performance.now() - begun;
        decoder.stdin.write(bytes);
      });
      response.on('error', () => {});
    });
    request.on('error', () => {});
    const finish = () => {
      clearTimeout(timer);
      request.destroy();
      decoder.kill('SIGKILL');
      resolve(row);
    };
    const timer = setTimeout(finish, 15_000);
    decoder.on('error', reject);
    pictures(decoder.stdout, (picture) => {
      row.firstPicture ??= performance.now() - begun;
      if (isSlate(picture)) return;
      row.firstProgramme = performance.now() - begun;
      finish();
    });
  });
}

/** What ffmpeg needs by itself to encode the same item from the same second: until its first byte. */
async function bareFfmpeg(channel) {
  const { encodeArguments } = await import('../dist/ffmpeg/arguments.js');
  const { probeFile } = await import('../dist/ffmpeg/probe.js');
  const now = await server.api('GET', `/channels/${channel.id}/now`);
  const media = await server.api('GET', `/media/${now.item.media.id}`);
  const profile = (await server.api('GET', `/profiles/${channel.profileId}`)).spec;
  const path = `${server.recordings}/${media.path}`;
  const probe = await probeFile(path, { probePath: 'ffprobe', timeoutMs: 30_000 });
  const options = { path, probe, profile, fromMs: now.positionMs, frames: 150, copy: false };
  const begun = performance.now();
  const encoder = spawn('ffmpeg', encodeArguments({ ...options, manyEntries: true, threads: 0 }));
  const firstByte = await new Promise((resolve) => {
    encoder.stdout.once('data', () => resolve(performance.now() - begun));
    encoder.once('exit', () => resolve(undefined));
  });
  encoder.kill('SIGKILL');
  return { firstByte };
}

function decode() {
  const child = spawn(
    'ffmpeg',
    [
      ...['-hide_banner', '-loglevel', 'quiet', '-threads', '1', '-probesize', '500000'],
      ...['-analyzeduration', '500000', '-fflags', 'nobuffer', '-i', 'pipe:0', '-map', '0:v:0'],
      ...[
        '-vf',
        `scale=${width}:${height},format=gray`,
        '-fps_mode',
        'passthrough',
        '-f',
        'rawvideo',
        'pipe:1',
      ],
    ],
    { stdio: ['pipe', 'pipe', 'ignore'] },
  );
  child.stdin.on('error', () => {});
  return child;
}

function pictures(stream, each) {
  let rest = Buffer.alloc(0);
  stream.on('data', (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    while (rest.length >= width * height) {
      each(rest.subarray(0, width * height));
      rest = rest.subarray(width * height);
    }
  });
}

/** The slate is one dark colour but for the words in its middle; the recordings have white marks. */
function isSlate(picture) {
  let brightest = 0;
  for (let y = 0; y < height; y++) {
    if (y > height / 3 && y < (2 * height) / 3) continue;
    for (let x = 0; x < width; x++) brightest = Math.max(brightest, picture[y * width + x]);
  }
  return brightest < 70;
}

function report(rows) {
  const ms = (value) => (value === undefined ? '-' : `${Math.round(value)} ms`);
  for (const kind of ['cold', 'warm']) {
    const list = (key) => rows[kind].map((row) => Math.round(row[key])).join(' ');
    console.log(
      `${kind}: first byte ${list('firstByte')}; first programme picture ${list('firstProgramme')}`,
    );
  }
  const line = (name, list, key) => {
    const values = list.map((row) => row[key]);
    console.log(
      `${name.padEnd(34)} median ${ms(quantile(values, 0.5)).padStart(8)}   worst ${ms(quantile(values, 1))}`,
    );
    return quantile(values, 0.5);
  };
  const bare = line('bare ffmpeg, first byte', rows.bare, 'firstByte');
  const cold = line('cold tune, first byte', rows.cold, 'firstByte');
  line('cold tune, first picture', rows.cold, 'firstPicture');
  line('cold tune, first programme picture', rows.cold, 'firstProgramme');
  const warm = line('warm tune, first byte', rows.warm, 'firstByte');
  line('warm tune, first picture', rows.warm, 'firstPicture');
  line('warm tune, first programme picture', rows.warm, 'firstProgramme');
  console.log(
    `cold first byte / bare ffmpeg ${(cold / bare).toFixed(2)}, warm / cold ${(warm / cold).toFixed(3)}`,
  );
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
