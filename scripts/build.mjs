// Compiles src/ to dist/. What is in dist/ and no longer in src/ is removed.
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from './lock.mjs';
import { endOnSignals, RunError, run } from './run.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const stampFile = join(dist, '.build.json');
const templateScript = join(root, 'scripts', 'build-template.mjs');
/** Written last by that script, which also decides whether there is anything to do. */
const templateMark = 'pglite-template/template.json';

/** What decides what is built. */
const inputs = [
  'src',
  'drizzle',
  'tsconfig.json',
  'package-lock.json',
  'scripts/build.mjs',
  'scripts/build-template.mjs',
];

/** Whether dist/ is what a build would make of the sources as they are. */
export function isBuilt() {
  const stamp = readStamp();
  if (stamp === undefined) return false;
  return stamp.outputs.every((name) => existsSync(join(dist, name))) && stamp.inputs === hashInputs();
}

async function build() {
  const since = performance.now();
  const hash = hashInputs();
  const before = readStamp()?.outputs ?? [];
  rmSync(stampFile, { force: true });
  const outputs = [...(await compile()), ...copyAssets()];
  removeStale(before, outputs);
  const main = join(dist, 'main.js');
  if (existsSync(main)) chmodSync(main, 0o755);
  if (existsSync(templateScript)) {
    await buildTemplate();
    outputs.push(templateMark);
  }
  // Written last: without it, the next run builds again.
  writeFileSync(`${stampFile}.part`, JSON.stringify({ inputs: hash, outputs }));
  renameSync(`${stampFile}.part`, stampFile);
  console.log(`Built dist/ in ${((performance.now() - since) / 1000).toFixed(1)} s.`);
}

/** @returns {{ inputs: string, outputs: string[] } | undefined} */
function readStamp() {
  try {
    return JSON.parse(readFileSync(stampFile, 'utf8'));
  } catch {
    return undefined;
  }
}

function hashInputs() {
  const hash = createHash('sha256');
  for (const file of inputs.flatMap((name) => filesBelow(join(root, name)))) {
    hash
      .update(`${nameIn(root, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  }
  return hash.digest('hex');
}

/** @returns {Promise<string[]>} the files written, relative to dist/ */
async function compile() {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  if (!existsSync(tsc)) throw new Error('TypeScript is not installed; run: node scripts/setup.mjs');
  const args = ['-p', join(root, 'tsconfig.json'), '--noEmitOnError', '--listEmittedFiles'];
  const output = await run(process.execPath, [tsc, ...args], { cwd: root });
  return output
    .split(/\r?\n/)
    .filter((line) => line.startsWith('TSFILE: '))
    .map((line) => nameIn(dist, resolve(root, line.slice('TSFILE: '.length))));
}

/** Everything in src/ that is no TypeScript goes along as it is. */
function copyAssets() {
  const src = join(root, 'src');
  const names = filesBelow(src)
    .map((file) => nameIn(src, file))
    .filter((name) => !/\.([cm]?ts|md)$/.test(name));
  for (const name of names) {
    mkdirSync(dirname(join(dist, name)), { recursive: true });
    copyFileSync(join(src, name), join(dist, name));
  }
  return names;
}

/**
 * @param {string[]} before what the last build had made
 * @param {string[]} outputs what this one has made
 */
function removeStale(before, outputs) {
  const wanted = new Set([...outputs, templateMark]);
  const compiled = filesBelow(dist)
    .map((file) => nameIn(dist, file))
    .filter((name) => /\.[cm]?js(\.map)?$/.test(name));
  for (const name of new Set([...before, ...compiled])) {
    if (!wanted.has(name)) rmSync(join(dist, name), { force: true });
  }
}

/** A template of the embedded database, so that a first start need not make one. */
async function buildTemplate() {
  const abandoned = readdirSync(dist).filter((name) => name.startsWith('.template-'));
  for (const name of abandoned) rmSync(join(dist, name), { recursive: true, force: true });
  await run(process.execPath, [templateScript], { cwd: root });
}

/**
 * @param {string} path a file, a folder, or nothing at all
 * @returns {string[]} files, sorted
 */
function filesBelow(path) {
  if (!existsSync(path)) return [];
  try {
    return readdirSync(path, { withFileTypes: true })
      .flatMap((entry) => {
        const child = join(path, entry.name);
        return entry.isDirectory() ? filesBelow(child) : [child];
      })
      .sort();
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOTDIR') return [path];
    throw error;
  }
}

/**
 * @param {string} folder
 * @param {string} file
 */
function nameIn(folder, file) {
  return relative(folder, file).split(sep).join('/');
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  endOnSignals();
  try {
    await withLock('build', root, build);
  } catch (error) {
    console.error('The build failed.');
    console.error(error instanceof RunError ? `${error.message}\n${error.output}`.trimEnd() : error);
    process.exitCode = 1;
  }
}
