import type { Database } from '../db/connection.ts';
import type { Library } from '../db/libraries.ts';
import type { WrongPart } from '../errors.ts';
import type { TransferFile } from './format.ts';

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
  notes: WrongPart[];
}

/** What the steps of an import share. */
export interface ImportRun {
  tx: Database;
  file: TransferFile;
  replace: boolean;
  report: ImportReport;
  /** What is wrong in the file. */
  wrong: WrongPart[];
  /** What is there already, and not as in the file. */
  conflicts: WrongPart[];
  /** The ids of all that a file can name, by name. */
  libraries: Map<string, string>;
  profiles: Map<string, string>;
  collections: Map<string, string>;
  newLibraries: Library[];
  changedProfiles: Set<string>;
  /** The ids of channels that were added or changed, in themselves or by their profile. */
  changedChannels: Set<string>;
}

export function beginRun(
  tx: Database,
  file: TransferFile,
  { dryRun, replace }: { dryRun: boolean; replace: boolean },
): ImportRun {
  return {
    ...{ tx, file, replace },
    report: {
      ...{ dryRun, libraries: [], profiles: [], collections: [], channels: [], notes: [] },
      awaited: { total: 0, examples: [] },
    },
    ...{ wrong: [], conflicts: [], newLibraries: [] },
    ...{ libraries: new Map(), profiles: new Map(), collections: new Map() },
    ...{ changedProfiles: new Set(), changedChannels: new Set() },
  };
}

/** Says what is in the way of a step, unless it may be replaced. */
export function mayReplace(run: ImportRun, path: string, what: string): boolean {
  if (!run.replace) run.conflicts.push({ path, message: `${what} is there already, and is not the same` });
  return run.replace;
}
