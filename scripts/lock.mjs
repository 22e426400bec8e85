import { createHash } from 'node:crypto';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const abandonedAfterMs = 3_600_000;
const emptyAfterMs = 5_000;

/**
 * Does the work while no other process on this machine does work of the same name for this folder. A lock
 * whose owner is gone does not count.
 *
 * @template T
 * @param {string} name
 * @param {string} folder
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(name, folder, work) {
  const file = lockFile(name, folder);
  let told = false;
  while (!take(file)) {
    if (isAbandoned(file)) {
      rmSync(file, { force: true });
      continue;
    }
    if (!told) console.log(`Waiting for another ${name} of this folder to end …`);
    told = true;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const release = () => rmSync(file, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.off('exit', release);
    release();
  }
}

/**
 * It is not kept in the folder, because npm empties node_modules and whatever is in the rest is the user's.
 *
 * @param {string} name
 * @param {string} folder
 */
function lockFile(name, folder) {
  const of = createHash('sha256').update(folder).digest('hex').slice(0, 16);
  return join(tmpdir(), `aircheck-${name}-${process.getuid?.() ?? 'user'}-${of}.lock`);
}

/** @param {string} file */
function take(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EEXIST') return false;
    throw error;
  }
}

/** @param {string} file */
function isAbandoned(file) {
  try {
    const ageMs = Date.now() - statSync(file).mtimeMs;
    const pid = Number(readFileSync(file, 'utf8'));
    if (ageMs > abandonedAfterMs) return true;
    return pid > 0 ? !isRunning(pid) : ageMs > emptyAfterMs;
  } catch {
    // It was released in this moment.
    return false;
  }
}

/** @param {number} pid */
function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}
