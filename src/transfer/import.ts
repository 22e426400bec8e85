import { access, constants } from 'node:fs/promises';
import { violationOf } from '../db/channels.ts';
import type { Database } from '../db/connection.ts';
import type { Library } from '../db/libraries.ts';
import type { TransferFile } from './format.ts';
import { importChannels } from './import-channels.ts';
import { importCollections } from './import-collections.ts';
import { importLibraries } from './import-libraries.ts';
import { importProfiles } from './import-profiles.ts';
import { type FileProblem, readFile } from './read-file.ts';

export interface ImportOptions {
  /** Nothing is changed; the report says what would be. */
  dryRun: boolean;
  /** What is there already under the same number or name is changed to what the file says. */
  replace: boolean;
}

/** What has become of a part of the file. `keep`: it was there already, and as the file says. */
export interface ImportedPart {
  name: string;
  action: 'add' | 'replace' | 'keep';
}

export interface ImportReport {
  dryRun: boolean;
  libraries: ImportedPart[];
  profiles: ImportedPart[];
  collections: ImportedPart[];
  /** By their numbers. */
  channels: ImportedPart[];
  /** Media of collections by hand that no library has yet. They take their places when a scan finds them. */
  awaited: { total: number; examples: { library: string; path: string }[] };
  /** What a person should know. */
  notes: FileProblem[];
}

export type ImportAnswer =
  /** Nothing was changed: the file is `wrong`, or what is there already is in `conflict` with it. */
  | { kind: 'refused'; reason: 'wrong' | 'conflict'; problems: FileProblem[]; more: number }
  | { kind: 'done'; report: ImportReport; libraries: Library[]; channels: string[] };

/** What the steps of an import share. */
export interface Import {
  tx: Database;
  file: TransferFile;
  replace: boolean;
  report: ImportReport;
  wrong: FileProblem[];
  conflicts: FileProblem[];
  /** The ids of all that a file can name, by name. */
  libraries: Map<string, string>;
  profiles: Map<string, string>;
  collections: Map<string, string>;
  newLibraries: Library[];
  /** The ids of channels that were added or changed. */
  changedChannels: string[];
}

/**
 * Brings libraries, collections, profiles and channels in from a file, all of it or, when anything is wrong,
 * nothing. Never deletes any of them. What the file does not name stays as it is.
 */
export async function importFile(db: Database, text: string, options: ImportOptions): Promise<ImportAnswer> {
  const read = readFile(text);
  if ('problems' in read) return refused('wrong', read.problems);
  try {
    return await db.transaction(async (tx) => {
      const run = begin(tx, read.file, options);
      await importLibraries(run);
      await importProfiles(run);
      await importCollections(run);
      await importChannels(run);
      if (run.wrong.length > 0) throw new Undone(refused('wrong', run.wrong));
      if (run.conflicts.length > 0) throw new Undone(refused('conflict', run.conflicts));
      const { report, newLibraries, changedChannels } = run;
      await noteFolders(run);
      const answer: ImportAnswer = {
        kind: 'done',
        report,
        libraries: newLibraries,
        channels: changedChannels,
      };
      if (options.dryRun) throw new Undone({ ...answer, libraries: [], channels: [] });
      return answer;
    });
  } catch (error) {
    if (error instanceof Undone) return error.answer;
    if (violationOf(error) === undefined) throw error;
    const message = 'the server was changed meanwhile; try it again';
    return refused('conflict', [{ path: '', message }]);
  }
}

/** Says what is in the way of a step, unless it may be replaced. */
export function mayReplace(run: Import, path: string, what: string): boolean {
  if (!run.replace) run.conflicts.push({ path, message: `${what} is there already, and is not the same` });
  return run.replace;
}

/** Thrown to undo the transaction. */
class Undone extends Error {
  constructor(readonly answer: ImportAnswer) {
    super('undone');
  }
}

function begin(tx: Database, file: TransferFile, { dryRun, replace }: ImportOptions): Import {
  const report: ImportReport = {
    ...{ dryRun, libraries: [], profiles: [], collections: [], channels: [], notes: [] },
    awaited: { total: 0, examples: [] },
  };
  return {
    ...{ tx, file, replace, report, wrong: [], conflicts: [], newLibraries: [], changedChannels: [] },
    libraries: new Map(),
    profiles: new Map(),
    collections: new Map(),
  };
}

const mostProblems = 100;

function refused(reason: 'wrong' | 'conflict', problems: readonly FileProblem[]): ImportAnswer {
  const more = Math.max(0, problems.length - mostProblems);
  return { kind: 'refused', reason, problems: problems.slice(0, mostProblems), more };
}

async function noteFolders({ newLibraries, file, report }: Import): Promise<void> {
  for (const { path } of newLibraries) {
    const readable = await access(path, constants.R_OK | constants.X_OK).then(
      () => true,
      () => false,
    );
    if (readable) continue;
    const index = file.libraries.findIndex((library) => library.path === path);
    const message = `the folder ${path} cannot be read now; it is scanned once it can`;
    report.notes.push({ path: `libraries.${index}.path`, message });
  }
}
