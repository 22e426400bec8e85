import { spawn } from 'node:child_process';
import { appendFileSync, statSync, symlinkSync } from 'node:fs';
import { open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { until } from '../support/server.ts';
import { filesIn, linesIn, logInto, messagesIn, temporaryFolder } from './folder.ts';

describe('the logger', () => {
  it('writes the same line to the standard output and to a file, with id, time and level', async () => {
    const folder = join(await temporaryFolder(), 'data', 'logs');
    const { log, files, output } = logInto(folder);
    log.child({ channel: '5' }).warn({ item: 7 }, 'the item is started again');
    await files.flush();
    expect(linesIn(folder).map((line) => `${line}\n`)).toEqual(output);
    expect(JSON.parse(output[0]!)).toEqual({
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      id: expect.stringMatching(/^[0-9a-z]{11}$/),
      channel: '5',
      item: 7,
      msg: 'the item is started again',
    });
  });

  it('begins a new file when one is full, and keeps as many as it is told', async () => {
    const folder = await temporaryFolder();
    const { log, files } = logInto(folder, { maxBytes: 1_000, maxFiles: 3 });
    for (let i = 0; i < 100; i++) log.info(`entry ${i}`);
    await files.flush();
    const names = filesIn(folder);
    expect(names).toHaveLength(3);
    expect(names.every((name) => statSync(join(folder, name)).size <= 1_000)).toBe(true);
    const kept = messagesIn(folder);
    expect(kept.length).toBeGreaterThan(20);
    expect(kept).toEqual(Array.from({ length: 100 }, (_, i) => `entry ${i}`).slice(-kept.length));
  });

  it('gives a file of its own to an entry that is longer than a file may be', async () => {
    const folder = await temporaryFolder();
    const { log, files } = logInto(folder, { maxBytes: 500 });
    for (const msg of ['short', 'x'.repeat(2_000), 'short again']) log.info(msg);
    await files.flush();
    expect(filesIn(folder)).toHaveLength(3);
    expect(messagesIn(folder)).toEqual(['short', 'x'.repeat(2_000), 'short again']);
  });

  it('goes on in the last file after a restart, and never gives an id twice', async () => {
    const folder = await temporaryFolder();
    for (let run = 0; run < 5; run++) {
      const { log, stop } = logInto(folder, { maxBytes: 100_000, maxFiles: 2 });
      log.info(`run ${run}`);
      await stop();
    }
    expect(filesIn(folder)).toHaveLength(1);
    const ids = linesIn(folder).map((line) => JSON.parse(line).id);
    expect(new Set(ids).size).toBe(5);
    expect([...ids].sort()).toEqual(ids);
  });

  it('keeps no more files over restarts than it is told', async () => {
    const folder = await temporaryFolder();
    for (let run = 0; run < 8; run++) {
      const { log, stop } = logInto(folder, { maxBytes: 300, maxFiles: 3 });
      for (let i = 0; i < 3; i++) log.info(`run ${run}, entry ${i}, ${'x'.repeat(150)}`);
      await stop();
    }
    expect(filesIn(folder)).toHaveLength(3);
    expect(messagesIn(folder).at(-1)).toContain('run 7, entry 2');
  });

  it('ends a line that a crash has cut, before it adds its own', async () => {
    const folder = await temporaryFolder();
    const first = logInto(folder);
    first.log.info('whole');
    await first.stop();
    appendFileSync(join(folder, filesIn(folder)[0]!), '{"level":"info","time":"2026-');
    const second = logInto(folder);
    second.log.info('after the crash');
    await second.files.flush();
    const lines = linesIn(folder);
    expect(lines).toHaveLength(3);
    expect(JSON.parse(lines[2]!).msg).toBe('after the crash');
  });

  it('logs on while the disk is full, says so once, and writes what it held when there is room again', async () => {
    const folder = await temporaryFolder();
    const full = join(folder, 'aircheck-000001.log');
    // Every write to this device fails as on a full disk.
    symlinkSync('/dev/full', full);
    const { log, files, output } = logInto(folder);
    log.info('before anybody knew');
    await until('the failure is noticed', () => files.status.failures >= 3 || undefined);
    log.info('while it is full');
    expect(files.status.isWell).toBe(false);
    const said = () => output.map((line) => JSON.parse(line));
    expect(said().filter(({ level }) => level === 'error')).toEqual([
      expect.objectContaining({ logger: 'logs', reason: expect.stringContaining('ENOSPC') }),
    ]);
    await rm(full);
    await until('it is well again', () => files.status.isWell || undefined);
    await files.flush();
    expect(messagesIn(folder)).toEqual(said().map(({ msg }) => msg));
    expect(said().at(-1)).toMatchObject({ lost: 0, msg: 'the files of the log are written again' });
  });

  it('counts what it cannot hold any more, and holds no more than some megabytes', async () => {
    const folder = await temporaryFolder();
    symlinkSync('/dev/full', join(folder, 'aircheck-000001.log'));
    const { log, files, output } = logInto(folder, { maxBytes: 10_000_000 });
    const text = 'x'.repeat(10_000);
    for (let i = 0; i < 1_000; i++) log.info(text);
    expect(files.status.lost).toBeGreaterThan(500);
    await rm(join(folder, 'aircheck-000001.log'));
    await until('it is well again', () => files.status.isWell || undefined);
    await files.flush();
    const { lost } = JSON.parse(output.at(-1)!);
    expect(messagesIn(folder)).toHaveLength(output.length - lost);
  });

  it('makes its folder again when that was removed', async () => {
    const folder = join(await temporaryFolder(), 'logs');
    const { log, files, output } = logInto(folder);
    log.info('lost with the folder');
    await files.flush();
    await rm(folder, { recursive: true });
    await until('the folder is back', async () => {
      log.info('still here');
      await files.flush();
      return files.status.failures > 0 && files.status.isWell;
    });
    expect(messagesIn(folder)).toContain('still here');
    expect(messagesIn(folder)).not.toContain('lost with the folder');
    expect(output.filter((line) => JSON.parse(line).level === 'error')).toHaveLength(1);
  });

  it('waits for a folder in whose place a file stands', async () => {
    const folder = join(await temporaryFolder(), 'logs');
    await writeFile(folder, 'in the way');
    const { log, files } = logInto(folder);
    log.info('held');
    await until('the failure is noticed', () => files.status.failures >= 2 || undefined);
    await rename(folder, `${folder}.txt`);
    await until('it is well again', () => files.status.isWell || undefined);
    await files.flush();
    expect(messagesIn(folder)[0]).toBe('held');
  });
});

describe('the end of a process', () => {
  const exit =
    "process.on('uncaughtException', (err) => { log.fatal({ err }, 'the end'); process.exit(1); });";

  it('leaves everything in the file and on the standard output, up to the fatal entry', async () => {
    const folder = await temporaryFolder();
    const { code, output } = await run(
      folder,
      `${exit} for (let i = 0; i < 2000; i++) log.info('entry ' + i); setImmediate(() => setImmediate(() => {
        for (let i = 2000; i < 3000; i++) log.info('entry ' + i); throw new Error('no'); }));`,
    );
    expect(code).toBe(1);
    const wanted = [...Array.from({ length: 3_000 }, (_, i) => `entry ${i}`), 'the end'];
    expect(output.map((line) => JSON.parse(line).msg)).toEqual(wanted);
    // What was on its way may be there twice, but nothing is missing.
    expect(new Set(messagesIn(folder))).toEqual(new Set(wanted));
  });

  it('is not held up by a disk that is full', async () => {
    const folder = await temporaryFolder();
    symlinkSync('/dev/full', join(folder, 'aircheck-000001.log'));
    const { code, output } = await run(folder, `${exit} log.info('one'); throw new Error('no');`);
    expect(code).toBe(1);
    expect(output.map((line) => JSON.parse(line).msg)).toContain('the end');
  });

  it('is not held up by a standard output that is full', async () => {
    const folder = await temporaryFolder();
    const full = await open('/dev/full', 'w');
    const { code } = await run(
      folder,
      `${exit} log.info('one'); setTimeout(() => { throw new Error('no'); }, 50);`,
      full.fd,
    );
    await full.close();
    expect(code).toBe(1);
    expect(messagesIn(folder)).toEqual(['one', 'the end']);
  });

  it('is not held up by a reader that does not read', async () => {
    const folder = await temporaryFolder();
    const child = spawnLogger(
      folder,
      `${exit} for (let i = 0; i < 3000; i++) log.info('x'.repeat(500)); setTimeout(() => { throw new Error('no'); }, 50);`,
    );
    const code = await new Promise((resolve) => child.once('exit', resolve));
    expect(code).toBe(1);
    expect(messagesIn(folder).at(-1)).toBe('the end');
  });
});

const logger = fileURLToPath(new URL('../../dist/logs/logger.js', import.meta.url));

async function run(folder: string, script: string, stdout: 'pipe' | number = 'pipe') {
  const child = spawnLogger(folder, script, stdout);
  let output = '';
  child.stdout?.on('data', (bytes: Buffer) => {
    output += bytes.toString();
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  return { code, output: output.split('\n').filter((line) => line !== '') };
}

/** A process of its own that logs as the script says. */
function spawnLogger(folder: string, script: string, stdout: 'pipe' | number = 'pipe') {
  const files = JSON.stringify({ folder, maxBytes: 10_000_000, maxFiles: 10 });
  const start = `import { createLogger } from ${JSON.stringify(logger)}; const { log } = createLogger({ level: 'info', files: ${files} });`;
  return spawn(process.execPath, ['--input-type=module', '--eval', start + script], {
    stdio: ['ignore', stdout, 'inherit'],
  });
}
