import { access, constants } from 'node:fs/promises';
import type { Database } from '../db/connection.ts';
import type { Library } from '../db/libraries.ts';
import { violationOf } from '../db/violation.ts';
import { ConflictError, type WrongPart } from '../errors.ts';
import type { TransferFile } from './format.ts';
import { importChannels } from './import-channels.ts';
import { importCollections } from './import-collections.ts';
import { importLibraries } from './import-libraries.ts';
import { importProfiles } from './import-profiles.ts';
import { beginRun, type ImportReport } from './import-run.ts';
import { readFile, type WrongFile, wrongFile } from './read-file.ts';

export interface ImportOptions {
  /** Nothing is changed; the report says what would be. */
  dryRun: boolean;
  /** What is there already under the same number or name is changed to what the file says. */
  replace: boolean;
}

export type ImportAnswer =
  /** Nothing was changed: the file is `wrong`, or what is there already is in `conflict` with it. */
  | ({ kind: 'refused'; reason: 'wrong' | 'conflict' } & WrongFile)
  | {
      kind: 'done';
      report: ImportReport;
      /** Those that are new. */
      libraries: Library[];
      /** The ids of the channels that were added or changed. */
      channels: string[];
    };

/**
 * Brings libraries, collections, profiles and channels in from a file, all of it or, when anything is wrong,
 * nothing. Never deletes any of them. What the file does not name stays as it is.
 */
export async function importFile(
  db: Database,
  bytes: Uint8Array,
  options: ImportOptions,
): Promise<ImportAnswer> {
  const read = readFile(bytes);
  if ('problems' in read) return { kind: 'refused', reason: 'wrong', ...read };
  const answer = await inOneTransaction(db, read.file, options);
  if (answer.kind === 'done') await noteFolders(read.file, answer.report);
  return answer;
}

async function inOneTransaction(
  db: Database,
  file: TransferFile,
  options: ImportOptions,
): Promise<ImportAnswer> {
  try {
    return await db.transaction(async (tx) => {
      const run = beginRun(tx, file, options);
      await importLibraries(run);
      await importProfiles(run);
      await importCollections(run);
      await importChannels(run);
      const { report, wrong, conflicts, newLibraries, changedChannels } = run;
      if (wrong.length > 0) throw new Undone(refused('wrong', wrong));
      if (conflicts.length > 0) throw new Undone(refused('conflict', conflicts));
      const done = { kind: 'done' as const, report, libraries: newLibraries, channels: [...changedChannels] };
      if (options.dryRun) throw new Undone(done);
      return done;
    });
  } catch (error) {
    if (error instanceof Undone) return error.answer;
    if (violationOf(error) === undefined && !(error instanceof ConflictError)) throw error;
    const message = 'the server was changed meanwhile; try it again';
    return refused('conflict', [{ path: '', message }]);
  }
}

/** Thrown to undo the transaction. */
class Undone extends Error {
  constructor(readonly answer: ImportAnswer) {
    super('undone');
  }
}

function refused(reason: 'wrong' | 'conflict', problems: readonly WrongPart[]): ImportAnswer {
  return { kind: 'refused', reason, ...wrongFile(problems) };
}

/** A disk may be away at the moment; its library is scanned once it is back. */
async function noteFolders(file: TransferFile, report: ImportReport): Promise<void> {
  const added = new Set(report.libraries.filter(({ action }) => action === 'add').map(({ name }) => name));
  for (const [index, { name, path }] of file.libraries.entries()) {
    if (!added.has(name) || (await isReadable(path))) continue;
    const message = `the folder ${path} cannot be read now; it is scanned once it can`;
    report.notes.push({ path: `libraries.${index}.path`, message });
  }
}

async function isReadable(path: string): Promise<boolean> {
  try {
    await access(path, constants.R_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
