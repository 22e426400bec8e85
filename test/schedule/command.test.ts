import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ICAL from 'ical.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planRequest } from '../../src/schedule/request.ts';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const request = {
  zone: 'Europe/Berlin',
  seed: 1,
  from: '2026-03-07T00:00:00+01:00',
  to: '2026-03-07T03:00:00+01:00',
  collections: { A: [{ id: 'a', duration: 'PT1H', title: 'Größe 🎬' }] },
  schedule: { slots: [{ id: 's', play: 'A', mode: 'flood' }] },
};
let folder: string;
let file: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aircheck-plan-'));
  file = join(folder, 'request.json');
  await writeFile(file, JSON.stringify(request));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Answer {
  code: number;
  stdout: string;
  stderr: string;
}

function run(args: string[], input = ''): Promise<Answer> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [main, 'plan', ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
    child.stdin!.end(input);
  });
}

describe('aircheck plan', () => {
  it('prints the answer as JSON, and nothing else', async () => {
    const { code, stdout, stderr } = await run([file]);
    expect({ code, stderr, answer: JSON.parse(stdout) }).toEqual({
      code: 0,
      stderr: '',
      answer: JSON.parse(JSON.stringify(planRequest(request))),
    });
  });

  it('reads standard input, a byte order mark or not', async () => {
    const { stdout } = await run([file]);
    for (const text of [JSON.stringify(request), `\uFEFF${JSON.stringify(request, undefined, 2)}\n`]) {
      expect(await run(['-'], text)).toEqual({ code: 0, stdout, stderr: '' });
    }
  });

  it('prints a table', async () => {
    const { code, stdout, stderr } = await run([file, '--table']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n')[1]).toMatch(/^Sat 2026-03-07 00:00:00 \+01:00 .*Größe 🎬/);
  });

  it('prints a calendar', async () => {
    const { code, stdout, stderr } = await run([file, '--ics']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(new ICAL.Component(ICAL.parse(stdout)).getAllSubcomponents('vevent')).toHaveLength(3);
  });

  it.each([
    [
      'a file that is not there',
      () => ['nowhere.json'],
      '',
      /^nowhere\.json cannot be read: there is no such file\n$/,
    ],
    ['a folder', () => [folder], '', /cannot be read: it is a folder\n$/],
    ['what is not JSON', () => ['-'], '{"zone": ', /^What was read is not JSON: .+\n$/],
    [
      'wrong keys, each of them by its path',
      () => ['-'],
      JSON.stringify({ ...request, zone: 'Mars', colour: 1 }),
      /^colour: this key is not known here\nzone: not an IANA time zone\n$|^zone: not an IANA time zone\ncolour: this key is not known here\n$/,
    ],
    ['no file', () => [], '', /^error: missing required argument 'file'\n$/],
    [
      'two forms at once',
      () => [file, '--table', '--ics'],
      '',
      /^error: option '--\w+' cannot be used with option/,
    ],
  ])('refuses %s, with one clear message and exit code 1', async (_, args, input, message) => {
    const { code, stdout, stderr } = await run(args(), input);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(message);
  });

  it('ends when nobody reads the answer to its end', async () => {
    const long = { ...request, to: '2026-12-07T03:00:00+01:00' };
    const child = execFile(process.execPath, [main, 'plan', '-'], { maxBuffer: 1e9 });
    let stderr = '';
    child.stderr!.on('data', (text: string) => {
      stderr += text;
    });
    child.stdout!.once('data', () => child.stdout!.destroy());
    child.stdin!.end(JSON.stringify(long));
    const code = await new Promise((resolve) => child.once('exit', resolve));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });
});
