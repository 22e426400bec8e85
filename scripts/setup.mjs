// Brings a fresh checkout to where the server can start: node modules, ffmpeg, dist/. It needs nothing but
// Node, and when all is there it only looks.
//
//   node scripts/setup.mjs [--no-ffmpeg] [--no-build]
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isBuilt } from './build.mjs';
import { withLock } from './lock.mjs';
import { endOnSignals, RunError, run } from './run.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const stampFile = join(modules, '.aircheck-setup');
const oldestNode = [20, 19];
const platform = `${process.platform}-${process.arch}`;
const options = readOptions(process.argv.slice(2));

/** A failure that the person can mend; the message says how. */
class SetupError extends Error {}

endOnSignals();
try {
  checkNode();
  const ready = modulesAreCurrent() && (!options.ffmpeg || toolsAreKnown()) && (!options.build || isBuilt());
  if (!ready) await withLock('setup', root, setUp);
} catch (error) {
  if (error instanceof RunError) console.error(`${error.message}\n${error.output}`.trimEnd());
  else console.error(error instanceof SetupError ? error.message : error);
  process.exitCode = 1;
}

async function setUp() {
  if (!modulesAreCurrent()) await installModules();
  if (options.ffmpeg && !toolsAreKnown()) await provideTools();
  if (options.build && !isBuilt()) {
    await step('Building', () => run(process.execPath, [join(root, 'scripts', 'build.mjs')], { cwd: root }));
  }
}

/** @param {string[]} args */
function readOptions(args) {
  const unknown = args.find((arg) => arg !== '--no-ffmpeg' && arg !== '--no-build');
  if (unknown !== undefined) {
    console.error(`setup knows --no-ffmpeg and --no-build, but not ${unknown}`);
    process.exit(2);
  }
  return { ffmpeg: !args.includes('--no-ffmpeg'), build: !args.includes('--no-build') };
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldestNode;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new SetupError(
    `aircheck needs Node ${oldestNode.join('.')} or later; this is Node ${process.versions.node}.\n` +
      'Get a newer one from https://nodejs.org/ or with a version manager such as nvm or fnm.',
  );
}

// Node modules

function modulesAreCurrent() {
  const stamp = readStamp();
  return stamp.lock === lockHash() && stamp.platform === platform;
}

async function installModules() {
  if (!installedByHand()) {
    await step('Installing node modules', async () => {
      const options = ['--no-audit', '--no-fund', '--include=dev'];
      try {
        await npm(['ci', ...options]);
      } catch (error) {
        if (!outputOf(error).includes('npm error code EUSAGE')) throw error;
        console.log('  package-lock.json does not fit package.json; it is followed as far as it goes.');
        await npm(['install', '--no-save', ...options]);
      }
    });
  }
  writeStamp({ lock: lockHash(), platform });
}

/** @param {string[]} args */
function npm(args) {
  const script = process.env.npm_execpath;
  if (script?.endsWith('npm-cli.js')) return run(process.execPath, [script, ...args], { cwd: root });
  return run('npm', args, { cwd: root, shell: process.platform === 'win32' });
}

/** Whether npm has already installed exactly what the lock file asks for. */
function installedByHand() {
  const wanted = readJson(join(root, 'package-lock.json'))?.packages ?? {};
  const installed = readJson(join(modules, '.package-lock.json'))?.packages;
  if (installed === undefined) return false;
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (path === '') return true;
    if (installed[path] === undefined) return optional === true;
    return installed[path].version === version && existsSync(join(root, path));
  });
}

function lockHash() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
}

// ffmpeg and ffprobe

function tools() {
  return [
    { name: 'ffmpeg', variable: 'AIRCHECK_FFMPEG_PATH' },
    { name: 'ffprobe', variable: 'AIRCHECK_FFMPEG_PROBE_PATH' },
  ].map((tool) => {
    const chosen = process.env[tool.variable] || undefined;
    return { ...tool, chosen, file: findProgram(chosen ?? tool.name) };
  });
}

/** Whether both are the files that were seen to run before. */
function toolsAreKnown() {
  const known = readStamp().tools ?? {};
  return tools().every(({ name, file }) => file !== undefined && known[name] === identityOf(file));
}

async function provideTools() {
  let found = tools();
  for (const { chosen, file, variable } of found) {
    if (chosen !== undefined && file === undefined) {
      throw new SetupError(`${variable} says ${chosen}, but there is no program of that name.`);
    }
  }
  if (found.some(({ file }) => file === undefined)) {
    await installTools();
    found = tools();
  }
  /** @type {Record<string, string>} */
  const identities = {};
  for (const { name, file } of found) {
    if (file === undefined) throw new SetupError(remedy(`${name} is still not to be found.`));
    await run(file, ['-version']);
    identities[name] = identityOf(file);
  }
  writeStamp({ ...readStamp(), tools: identities });
}

async function installTools() {
  const prefix = await administrator();
  if (prefix === undefined) throw new SetupError(remedy('ffmpeg and ffprobe are needed, and are not here.'));
  const asRoot = (/** @type {string[]} */ ...args) => {
    const [command, ...rest] = [...prefix, ...args];
    return run(/** @type {string} */ (command), rest);
  };
  const apt = (/** @type {string[]} */ ...args) =>
    asRoot('apt-get', '-o', 'DPkg::Lock::Timeout=300', ...args);
  await step('Installing ffmpeg', async () => {
    try {
      // Mends what an installation that was interrupted has left.
      await asRoot('dpkg', '--configure', '-a');
      await apt('update');
      await apt('install', '-y', '--no-install-recommends', 'ffmpeg', 'fonts-dejavu-core');
    } catch (error) {
      throw new SetupError(`${remedy('apt-get could not install ffmpeg.')}\n\n${outputOf(error)}`);
    }
  });
}

/** What to put in front of apt-get, or undefined when this system has none or we may not use it. */
async function administrator() {
  if (findProgram('apt-get') === undefined) return undefined;
  const settings = ['env', 'DEBIAN_FRONTEND=noninteractive'];
  if (process.getuid?.() === 0) return settings;
  if (findProgram('sudo') === undefined) return undefined;
  const mayBecomeRoot = await run('sudo', ['-n', 'true']).then(
    () => true,
    () => false,
  );
  return mayBecomeRoot ? ['sudo', '-n', ...settings] : undefined;
}

/** @param {string} trouble */
function remedy(trouble) {
  return `${trouble} Install it, and run this again:

  Debian, Ubuntu   sudo apt-get install ffmpeg fonts-dejavu-core
  Fedora           sudo dnf install https://mirrors.rpmfusion.org/free/fedora/rpmfusion-free-release-$(rpm -E %fedora).noarch.rpm
                   sudo dnf install --allowerasing ffmpeg dejavu-sans-mono-fonts
  Arch             sudo pacman -S ffmpeg ttf-dejavu
  Alpine           sudo apk add ffmpeg font-dejavu
  macOS            brew install ffmpeg
  Windows          winget install Gyan.FFmpeg

Where it is installed but not on the PATH, set AIRCHECK_FFMPEG_PATH and AIRCHECK_FFMPEG_PROBE_PATH.`;
}

/**
 * @param {string} name a name to be looked up on the PATH, or a path
 * @returns {string | undefined} the file
 */
function findProgram(name) {
  const endings = process.platform === 'win32' ? ['', ...(process.env.PATHEXT ?? '.EXE').split(';')] : [''];
  const folders = /[/\\]/.test(name) ? [''] : (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  const candidates = folders.flatMap((folder) => endings.map((ending) => join(folder, `${name}${ending}`)));
  return candidates.find(isProgram);
}

/** @param {string} file */
function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** @param {string} file */
function identityOf(file) {
  const { size, mtimeMs } = statSync(file);
  return `${resolve(file)} ${size} ${mtimeMs}`;
}

// What was seen last time

/** @returns {{ lock?: string, platform?: string, tools?: Record<string, string> }} */
function readStamp() {
  return readJson(stampFile) ?? {};
}

/** @param {ReturnType<typeof readStamp>} stamp */
function writeStamp(stamp) {
  mkdirSync(modules, { recursive: true });
  writeFileSync(`${stampFile}.part`, JSON.stringify(stamp));
  renameSync(`${stampFile}.part`, stampFile);
}

/** @param {string} file */
function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

// Telling

/**
 * @param {string} what
 * @param {() => Promise<unknown>} work
 */
async function step(what, work) {
  const since = performance.now();
  console.log(`${what} …`);
  await work();
  console.log(`${what} … done in ${((performance.now() - since) / 1000).toFixed(1)} s`);
}

/** @param {unknown} error */
function outputOf(error) {
  return error instanceof RunError ? `${error.message}\n${error.output}`.trimEnd() : String(error);
}
