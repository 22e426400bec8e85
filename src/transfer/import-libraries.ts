import { insertLibrary, libraryLabels, listLibraries } from '../db/libraries.ts';
import { isInside } from '../library/walk.ts';
import type { ImportRun } from './import-run.ts';

/** Adds the libraries that are not there. One that is there under its name keeps its folder. */
export async function importLibraries(run: ImportRun): Promise<void> {
  const { tx, file, report, wrong, libraries, newLibraries } = run;
  const labels = await libraryLabels(tx);
  const known = (await listLibraries(tx)).map(({ id, path }) => ({ name: labels.get(id) ?? id, path }));
  for (const [id, name] of labels) libraries.set(name, id);
  for (const [index, { name, path }] of file.libraries.entries()) {
    const same = known.find((library) => library.name === name);
    if (same !== undefined) {
      report.libraries.push({ name, action: 'keep' });
      if (same.path === path) continue;
      const message = `the library "${name}" is here at ${same.path}, and stays there`;
      report.notes.push({ path: `libraries.${index}.path`, message });
      continue;
    }
    const other = known.find((library) => isInside(path, library.path) || isInside(library.path, path));
    if (other !== undefined) {
      const message = `${path} overlaps with the library "${other.name}" (${other.path})`;
      wrong.push({ path: `libraries.${index}.path`, message });
      continue;
    }
    const added = await insertLibrary(tx, { name, path });
    if (added === undefined) continue;
    known.push({ name, path });
    libraries.set(name, added.id);
    newLibraries.push(added);
    report.libraries.push({ name, action: 'add' });
  }
}
