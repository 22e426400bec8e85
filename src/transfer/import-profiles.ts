import { isDeepStrictEqual } from 'node:util';
import { createProfile, listProfiles, updateProfile } from '../db/profiles.ts';
import { type ImportRun, mayReplace } from './import-run.ts';

/** Adds the profiles that are not there, and changes those that may be changed. */
export async function importProfiles(run: ImportRun): Promise<void> {
  const { tx, file, report, profiles } = run;
  const known = new Map((await listProfiles(tx)).map((profile) => [profile.name, profile]));
  for (const [name, { id }] of known) profiles.set(name, id);
  for (const [index, { name, spec }] of file.profiles.entries()) {
    const same = known.get(name);
    if (same === undefined) {
      profiles.set(name, (await createProfile(tx, { name, spec })).id);
      report.profiles.push({ name, action: 'add' });
    } else if (isDeepStrictEqual(same.spec, spec)) report.profiles.push({ name, action: 'keep' });
    else if (mayReplace(run, `profiles.${index}`, `the profile "${name}"`)) {
      await updateProfile(tx, same.id, { spec });
      run.changedProfiles.add(same.id);
      report.profiles.push({ name, action: 'replace' });
    }
  }
}
