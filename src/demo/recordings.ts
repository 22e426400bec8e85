import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { execa } from 'execa';
import { messageOf, ProcessError } from '../errors.ts';
import { type FfmpegAbilities, findAbilities } from './abilities.ts';
import { recordingArguments } from './arguments.ts';
import { type Recipe, recipes } from './recipes.ts';

export interface RecordingInfo extends Omit<Recipe, 'seconds'> {
  /** Absolute. */
  file: string;
  /** As it was ordered; the file's own may differ by a frame. */
  durationMs: number;
}

export type RecordingsProgress =
  /** Something had to be done differently with this ffmpeg. */
  | { kind: 'note'; message: string }
  /** The file was there already. */
  | { kind: 'kept'; recording: RecordingInfo; done: number; total: number }
  | { kind: 'made'; recording: RecordingInfo; done: number; total: number; tookMs: number };

export interface MakeRecordingsOptions {
  ffmpegPath: string;
  onProgress?: (progress: RecordingsProgress) => void;
  /** Ends the running encoders; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Numbers of the recordings that are wanted; by default all of them. */
  only?: readonly number[];
}

/** Changes when recordings that were made before are to be made again, although their recipe is the same. */
const edition = 1;
const atOnce = 2;
const abandonedAfterMs = 15 * 60_000;

/**
 * Makes the sample recordings in a folder. What is there and whole stays, so only the first call takes time.
 * Files appear under their names when they are complete. Throws ProcessError when ffmpeg fails.
 */
export async function makeRecordings(
  folder: string,
  options: MakeRecordingsOptions,
): Promise<RecordingInfo[]> {
  const wanted = recipes.filter((recipe) => options.only?.includes(recipe.number) ?? true);
  const report = options.onProgress ?? (() => {});
  const ledger = await Ledger.open(folder);
  const missing: Recipe[] = [];
  let done = 0;
  for (const recipe of wanted) {
    if (await ledger.holds(recipe)) {
      report({ kind: 'kept', recording: infoOf(folder, recipe), done: ++done, total: wanted.length });
    } else missing.push(recipe);
  }
  if (missing.length > 0) {
    const abilities = await findAbilities(options.ffmpegPath, options.signal);
    for (const message of abilities.notes) report({ kind: 'note', message });
    await eachOf(missing, options.signal, async (recipe, signal) => {
      const since = performance.now();
      await makeOne(folder, recipe, abilities, signal);
      await ledger.add(recipe);
      const tookMs = Math.round(performance.now() - since);
      const recording = infoOf(folder, recipe);
      report({ kind: 'made', recording, done: ++done, total: wanted.length, tookMs });
    });
  }
  return wanted.map((recipe) => infoOf(folder, recipe));
}

function infoOf(folder: string, { seconds, ...recipe }: Recipe): RecordingInfo {
  return { ...recipe, file: join(folder, recipe.path), durationMs: seconds * 1000 };
}

/** Works through the recipes, `atOnce` of them at a time. The first failure ends the others. */
async function eachOf(
  list: readonly Recipe[],
  outer: AbortSignal | undefined,
  work: (recipe: Recipe, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failure = new AbortController();
  const signal = outer === undefined ? failure.signal : AbortSignal.any([outer, failure.signal]);
  const queue = list.toSorted((a, b) => costOf(b) - costOf(a));
  const worker = async () => {
    for (let recipe = queue.shift(); recipe !== undefined; recipe = queue.shift()) {
      signal.throwIfAborted();
      await work(recipe, signal);
    }
  };
  const workers = Array.from({ length: atOnce }, () =>
    worker().catch((error: unknown) => {
      failure.abort(error);
      throw error;
    }),
  );
  // Wait for all of them, so that no encoder is left when this returns.
  await Promise.allSettled(workers);
  outer?.throwIfAborted();
  await Promise.all(workers);
}

/** What takes longest is begun first, so that both encoders are busy until the end. */
function costOf({ seconds, video }: Recipe): number {
  if (video === undefined) return 0;
  return seconds * video.width * video.height * (video.codec === 'hevc' ? 4 : 1);
}

async function makeOne(
  folder: string,
  recipe: Recipe,
  abilities: FfmpegAbilities,
  signal: AbortSignal,
): Promise<void> {
  const file = join(folder, recipe.path);
  const part = join(unfinishedIn(folder), `${randomBytes(8).toString('hex')}${extname(recipe.path)}`);
  await mkdir(dirname(file), { recursive: true });
  try {
    await execa(abilities.ffmpegPath, recordingArguments(recipe, part, abilities), {
      cancelSignal: signal,
      stdin: 'ignore',
      stdout: 'ignore',
      forceKillAfterDelay: 2_000,
    });
    await rename(part, file);
  } catch (error) {
    signal.throwIfAborted();
    throw new ProcessError(`ffmpeg could not make "${recipe.path}": ${messageOf(error)}`, {
      operation: `making the sample recording ${recipe.path}`,
      cause: error,
    });
  } finally {
    await rm(part, { force: true });
  }
}

/** A folder whose name begins with a dot, so that a library does not see what is unfinished. */
function unfinishedIn(folder: string): string {
  return join(folder, '.unfinished');
}

type LedgerEntries = Record<string, { recipe: string; size: number }>;

/** Which recordings are whole, kept in a file beside them. */
class Ledger {
  private writing: Promise<void> = Promise.resolve();

  private constructor(
    private readonly folder: string,
    private readonly entries: LedgerEntries,
  ) {}

  static async open(folder: string): Promise<Ledger> {
    await mkdir(unfinishedIn(folder), { recursive: true });
    await removeAbandoned(unfinishedIn(folder));
    return new Ledger(folder, await Ledger.read(folder));
  }

  async holds(recipe: Recipe): Promise<boolean> {
    const entry = this.entries[recipe.path];
    if (entry?.recipe !== fingerprint(recipe)) return false;
    const found = await stat(join(this.folder, recipe.path)).catch(() => undefined);
    return found?.size === entry.size;
  }

  async add(recipe: Recipe): Promise<void> {
    const { size } = await stat(join(this.folder, recipe.path));
    this.writing = this.writing.then(() =>
      this.write({ [recipe.path]: { recipe: fingerprint(recipe), size } }),
    );
    await this.writing;
  }

  private async write(added: LedgerEntries): Promise<void> {
    // Somebody else may be making other recordings in the same folder.
    const entries = { ...(await Ledger.read(this.folder)), ...added };
    const part = join(unfinishedIn(this.folder), `${randomBytes(8).toString('hex')}.json`);
    await writeFile(part, `${JSON.stringify(entries, undefined, 2)}\n`);
    await rename(part, Ledger.fileIn(this.folder));
  }

  private static async read(folder: string): Promise<LedgerEntries> {
    try {
      return JSON.parse(await readFile(Ledger.fileIn(folder), 'utf8')) as LedgerEntries;
    } catch {
      // Not there, or not readable: then everything is made again.
      return {};
    }
  }

  private static fileIn(folder: string): string {
    return join(folder, '.recordings.json');
  }
}

/** Leavings of a run that was killed. What is young may belong to another run. */
async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const file = join(folder, name);
    const found = await stat(file).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > abandonedAfterMs) await rm(file, { force: true });
  }
}

function fingerprint(recipe: Recipe): string {
  return createHash('sha256').update(JSON.stringify({ edition, recipe })).digest('hex').slice(0, 16);
}
