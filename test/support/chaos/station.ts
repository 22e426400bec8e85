import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodersOf } from '../broadcast.ts';
import { type RunningServer, startServer } from '../server.ts';
import { DatabaseSwitch, whyNoSwitch } from './database-switch.ts';
import { addCheapChannels, addLibrary, type CheapChannel } from './lineup.ts';
import { RemovableFolder, SmallDisk, whyNoMounts } from './mounts.ts';
import { copyCheapRecordings } from './recordings.ts';

/** Texts that must not be found in any log. */
export const plantedSecrets = {
  adminKey: 'planted-admin-key-5f1c9a',
  token: 'planted-token-77d0e2',
};

/** A built server, with everything about it within reach of somebody who wants to do it harm. */
export interface Station {
  server: RunningServer;
  channels: CheapChannel[];
  library: RemovableFolder;
  disk: SmallDisk | undefined;
  database: DatabaseSwitch | undefined;
  /** What this machine does not allow, and why. */
  leftOut: string[];
  stop(): Promise<void>;
}

/** @param options.embedded use the embedded database although there is a PostgreSQL */
export async function makeStation(options: {
  channels: number;
  settings: Record<string, string>;
  embedded?: boolean;
}): Promise<Station> {
  const root = await mkdtemp(join(tmpdir(), 'aircheck-chaos-'));
  const closing: (() => Promise<unknown>)[] = [() => rm(root, { recursive: true, force: true })];
  const stop = async () => {
    const failures: unknown[] = [];
    // What cannot be closed must not keep a disk mounted or a database running.
    for (const close of closing.splice(0).toReversed()) {
      await close().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  };
  try {
    const leftOut: string[] = [];
    const noMounts = await whyNoMounts();
    if (noMounts !== undefined) {
      leftOut.push(
        `a full disk (nothing can be mounted here: ${noMounts})`,
        'unmounting: the folder is renamed',
      );
    }
    const library = await RemovableFolder.make(root, noMounts === undefined);
    closing.push(() => library.remove());
    const folders = Array.from({ length: options.channels }, (_, index) =>
      join(library.path, `channel-${index + 1}`),
    );
    for (const folder of folders) await copyCheapRecordings(folder);

    const noSwitch = options.embedded ? 'the embedded database was asked for' : whyNoSwitch();
    const database = noSwitch === undefined ? await DatabaseSwitch.start() : undefined;
    if (database !== undefined) closing.push(() => database.stop());
    else leftOut.push(`stopping the database (${noSwitch ?? 'there is no PostgreSQL here'})`);

    const data = join(root, 'data');
    const disk = noMounts === undefined ? await SmallDisk.make(data, database ? 64 : 512) : undefined;
    if (disk === undefined) await mkdir(data);
    else closing.push(() => disk.remove());

    const server = await startServer(
      {
        AIRCHECK_ADMIN_KEY: plantedSecrets.adminKey,
        AIRCHECK_LIBRARY_SETTLE_MS: '0',
        AIRCHECK_PLAYOUT_HORIZON_HOURS: '48',
        ...(database === undefined ? {} : { DATABASE_URL: database.databaseUrl }),
        ...options.settings,
      },
      { data },
    );
    closing.push(() => endWithEncoders(server));
    await addLibrary(server, library.path);
    const channels = await addCheapChannels(server, library.path, folders);
    return { server, channels, library, disk, database, leftOut, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** An encoder that was stopped does not notice that its reader is gone. */
async function endWithEncoders(server: RunningServer): Promise<void> {
  await server.end('SIGKILL');
  for (const pid of await encodersOf(server)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has just ended.
    }
  }
}
