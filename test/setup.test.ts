import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

// A checkout in miniature: the real scripts, one source file, and programs that only write down that they
// were called. Nothing but these is on the PATH.

const repository = join(import.meta.dirname, '..');
const posix = process.platform !== 'win32';

let checkout: string;
let bin: string;

beforeEach(async () => {
  checkout = await mkdtemp(join(tmpdir(), 'aircheck-setup-'));
  bin = join(checkout, 'bin');
  await mkdir(bin);
  await mkdir(join(checkout, 'src'));
  await mkdir(join(checkout, 'node_modules'));
  for (const name of ['setup.mjs', 'build.mjs', 'run.mjs', 'lock.mjs']) {
    await cp(join(repository, 'scripts', name), join(checkout, 'scripts', name));
  }
  for (const name of ['typescript', '@typescript']) {
    await symlink(join(repository, 'node_modules', name), join(checkout, 'node_modules', name));
  }
  await writeFile(join(checkout, 'package.json'), '{ "type": "module" }');
  await writeFile(join(checkout, 'package-lock.json'), '{ "packages": { "": {} } }');
  await writeFile(
    join(checkout, 'tsconfig.json'),
    '{ "compilerOptions": { "rootDir": "src", "outDir": "dist", "types": [] }, "include": ["src"] }',
  );
  await writeFile(join(checkout, 'src/main.ts'), 'export const one: number = 1;\n');
  await program('npm', 'echo "{ \\"packages\\": {} }" > node_modules/.package-lock.json');
  await program('ffmpeg');
  await program('ffprobe');
});

afterEach(async () => {
  await rm(checkout, { recursive: true, force: true });
});

describe.runIf(posix)('setting up', () => {
  test('installs and builds in a fresh checkout, and the next time only looks', async () => {
    expect(await setUp()).toMatchObject({ exitCode: 0 });
    expect(await calls()).toEqual([
      'npm ci --no-audit --no-fund --include=dev',
      'ffmpeg -version',
      'ffprobe -version',
    ]);
    const built = await stat(join(checkout, 'dist/main.js'));
    expect(built.mode & 0o111).toBe(0o111);

    const since = performance.now();
    const second = await setUp();
    // It takes less than 100 ms; the rest is for a machine that is busy with other tests.
    expect(performance.now() - since).toBeLessThan(1500);
    expect(second).toMatchObject({ exitCode: 0, stdout: '', stderr: '' });
    expect(await calls()).toHaveLength(3);
    expect((await stat(join(checkout, 'dist/main.js'))).mtimeMs).toBe(built.mtimeMs);
  });

  test('installs again when the lock file has changed', async () => {
    await setUp();
    await writeFile(
      join(checkout, 'package-lock.json'),
      '{ "packages": { "": {}, "node_modules/a": { "version": "1.0.0" } } }',
    );
    await setUp();
    expect((await calls()).filter((call) => call.startsWith('npm'))).toHaveLength(2);
  });

  test('takes what npm has installed by hand', async () => {
    await writeFile(join(checkout, 'node_modules/.package-lock.json'), '{ "packages": {} }');
    expect(await setUp()).toMatchObject({ exitCode: 0 });
    expect((await calls()).filter((call) => call.startsWith('npm'))).toEqual([]);
  });

  test('goes on with a lock file that does not fit', async () => {
    await program(
      'npm',
      'if [ "$1" = ci ]; then echo "npm error code EUSAGE" >&2; exit 1; fi; echo "{ \\"packages\\": {} }" > node_modules/.package-lock.json',
    );
    const { exitCode, stdout } = await setUp();
    expect(exitCode).toBe(0);
    expect(stdout).toContain('package-lock.json does not fit');
    expect((await calls())[1]).toBe('npm install --no-save --no-audit --no-fund --include=dev');
  });

  test('shows what npm said when it fails', async () => {
    await program('npm', 'echo "the registry is away" >&2; exit 3');
    const { exitCode, stderr } = await setUp();
    expect(exitCode).toBe(1);
    expect(stderr).toContain('the registry is away');
  });

  test('says how to install ffmpeg on each system where it cannot do so itself', async () => {
    await rm(join(bin, 'ffprobe'));
    const { exitCode, stderr } = await setUp();
    expect(exitCode).toBe(1);
    for (const words of [
      'apt-get install ffmpeg',
      'dnf install',
      'pacman -S',
      'apk add',
      'brew install',
      'winget',
    ]) {
      expect(stderr).toContain(words);
    }
    expect(await setUp('--no-ffmpeg')).toMatchObject({ exitCode: 0 });
  });

  test('installs ffmpeg by apt where it may', async () => {
    await rm(join(bin, 'ffmpeg'));
    await rm(join(bin, 'ffprobe'));
    await symlink('/usr/bin/env', join(bin, 'env'));
    await program('sudo', 'if [ "$2" = true ]; then exit 0; fi; shift; exec "$@"');
    await program('dpkg');
    const tool = `printf '#!/bin/sh\\n' > "$BIN/$name"; /bin/chmod +x "$BIN/$name"`;
    await program('apt-get', `case "$*" in *install*) for name in ffmpeg ffprobe; do ${tool}; done;; esac`);
    expect(await setUp()).toMatchObject({ exitCode: 0 });
    const apt = (await calls()).filter((call) => call.startsWith('apt-get'));
    expect(apt).toEqual([
      'apt-get -o DPkg::Lock::Timeout=300 update',
      'apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends ffmpeg fonts-dejavu-core',
    ]);
  });

  test('names the variable that points to no program', async () => {
    const { exitCode, stderr } = await start([], { AIRCHECK_FFMPEG_PATH: '/nowhere/ffmpeg' });
    expect(exitCode).toBe(1);
    expect(stderr).toContain('AIRCHECK_FFMPEG_PATH says /nowhere/ffmpeg');
  });

  test('is done once when it is started twice at the same time', async () => {
    await program('npm', '/bin/sleep 1; echo "{ \\"packages\\": {} }" > node_modules/.package-lock.json');
    const both = await Promise.all([setUp(), setUp()]);
    expect(both.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    expect((await calls()).filter((call) => call.startsWith('npm'))).toHaveLength(1);
  });

  test('that was interrupted is done by the next run', async () => {
    await program('npm', 'echo begun; exec /bin/sleep 5');
    const interrupted = start([]);
    await expect.poll(async () => (await calls()).length).toBe(1);
    interrupted.kill('SIGINT');
    expect(await interrupted).toMatchObject({ exitCode: 130, stderr: '' });
    await program('npm', 'echo "{ \\"packages\\": {} }" > node_modules/.package-lock.json');
    expect(await setUp()).toMatchObject({ exitCode: 0 });
    expect(existsSync(join(checkout, 'dist/main.js'))).toBe(true);
  });

  test('does not wait for one that was killed', async () => {
    await program('npm', 'exec /bin/sleep 5');
    const child = spawn(process.execPath, ['scripts/setup.mjs'], { cwd: checkout, env: environment() });
    await expect.poll(async () => (await calls()).length).toBe(1);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await program('npm', 'echo "{ \\"packages\\": {} }" > node_modules/.package-lock.json');
    expect(await setUp()).toMatchObject({ exitCode: 0 });
  });

  test('refuses an option that it does not know', async () => {
    expect(await setUp('--fast')).toMatchObject({ exitCode: 2 });
  });
});

describe.runIf(posix)('building', () => {
  test('follows the sources: what is deleted there goes, what is no TypeScript goes along', async () => {
    await writeFile(join(checkout, 'src/other.ts'), 'export const two = 2;\n');
    await writeFile(join(checkout, 'src/page.html'), '<p>');
    await setUp();
    expect(existsSync(join(checkout, 'dist/other.js'))).toBe(true);
    expect(await readFile(join(checkout, 'dist/page.html'), 'utf8')).toBe('<p>');
    await rm(join(checkout, 'src/other.ts'));
    await rm(join(checkout, 'src/page.html'));
    await setUp();
    expect(existsSync(join(checkout, 'dist/other.js'))).toBe(false);
    expect(existsSync(join(checkout, 'dist/page.html'))).toBe(false);
  });

  test('repeats itself when something of dist/ is away', async () => {
    await setUp();
    await rm(join(checkout, 'dist/main.js'));
    await setUp();
    expect(existsSync(join(checkout, 'dist/main.js'))).toBe(true);
  });

  test('fails with the compiler’s words and leaves what was there', async () => {
    await setUp();
    await writeFile(join(checkout, 'src/main.ts'), 'export const one: number = "two";\n');
    const { exitCode, stderr } = await setUp();
    expect(exitCode).toBe(1);
    expect(stderr).toContain('src/main.ts(1,14): error TS2322');
    expect(await readFile(join(checkout, 'dist/main.js'), 'utf8')).toContain('one = 1');
  });
});

function setUp(...args: string[]) {
  return start(args);
}

function start(args: string[], extra: Record<string, string> = {}) {
  return execa(process.execPath, ['scripts/setup.mjs', ...args], {
    cwd: checkout,
    env: { ...environment(), ...extra },
    extendEnv: false,
    reject: false,
  });
}

function environment(): Record<string, string> {
  return { PATH: bin, BIN: bin, CALLS: join(checkout, 'calls'), TMPDIR: checkout };
}

/** A program on the PATH that writes down its call. */
async function program(name: string, body = ''): Promise<void> {
  const file = join(bin, name);
  await writeFile(file, `#!/bin/sh\necho "${name} $*" >> "$CALLS"\n${body}\n`);
  await chmod(file, 0o755);
}

async function calls(): Promise<string[]> {
  const text = await readFile(join(checkout, 'calls'), 'utf8').catch(() => '');
  return text.split('\n').filter(Boolean);
}
