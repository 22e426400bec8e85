// npm run bench -- NAME [OPTIONS]: runs one of the benchmarks; without a name it lists them.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const benches = {
  tune: 'how long a cold and a warm tune take, beside a bare ffmpeg',
  loop: 'event-loop delay with five channels on air while 1,000 files are scanned',
  bucket: 'the token bucket with 10,000 waiters of whom half give up: order, tokens, heap',
  planner: 'a day of 10,000 generated schedules, and of heavy ones: time and items',
  plan: 'planning and storing 100 channels over 14 days from 20,000 media',
  logs: 'paging, filtering and searching 100,000 entries of the log',
  guide: 'the guide of 500 channels over 14 days, from 100,000 media',
};

const [name, ...options] = process.argv.slice(2);
if (name === undefined || !Object.hasOwn(benches, name)) {
  for (const [known, text] of Object.entries(benches)) console.log(`${known.padEnd(8)} ${text}`);
  process.exitCode = name === undefined ? 0 : 1;
} else {
  const file = fileURLToPath(new URL(`./${name}.mjs`, import.meta.url));
  const child = spawn(process.execPath, [file, ...options], { stdio: 'inherit' });
  child.once('exit', (code) => {
    process.exitCode = code ?? 1;
  });
}
