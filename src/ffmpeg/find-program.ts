import { access, constants, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { ProcessError } from '../errors.ts';

/**
 * Where a program is that may be run: the path itself, or the first of its name on the PATH. Starts no
 * process. Throws ProcessError when there is none.
 */
export async function findProgram(
  program: string,
  searchPath: string = process.env.PATH ?? '',
): Promise<string> {
  const folders = searchPath.split(delimiter);
  const places = program.includes('/') ? [program] : folders.map((folder) => join(folder, program));
  for (const place of places) if (await mayRun(place)) return place;
  throw new ProcessError(`There is no program ${program} that may be run.`, {
    operation: `looking for ${program}`,
  });
}

async function mayRun(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}
