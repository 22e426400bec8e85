import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { DateTime } from 'luxon';
import { migrationJournal } from '../db/inspection.ts';
import type { Check, Finding } from './check.ts';

const minuteMs = 60_000;

/** A guide is only as right as the clock of the machine, and the machine's knowledge of time zones. */
export function clockCheck(dataFolder: string, now: () => number = Date.now): Check {
  return {
    subject: 'clock',
    deadlineMs: 15_000,
    run: async (signal) => [
      await clockFinding(dataFolder, now()),
      synchronisationFinding(await isSynchronised(signal)),
      zoneFinding(),
    ],
  };
}

/** @param known true or false as the system says it; undefined when it does not */
export function synchronisationFinding(known: boolean | undefined): Finding {
  const subject = 'time service';
  if (known === undefined) {
    const found = 'it cannot be told whether the clock is kept right by NTP';
    return { subject, verdict: 'skipped', found };
  }
  if (known) return { subject, verdict: 'ok', found: 'the clock is synchronised' };
  return {
    subject,
    verdict: 'warning',
    found: 'the clock is not synchronised: programmes will be early or late by as much as it is wrong',
    remedy: 'Turn a time service on (systemd: timedatectl set-ntp true; or install chrony).',
  };
}

/** Holds the clock against the times that must be past: this release, and what the server has written. */
async function clockFinding(dataFolder: string, now: number): Promise<Finding> {
  const subject = 'clock';
  const shown = new Date(now).toISOString();
  const remedy = 'Set the clock of the machine, and let a time service keep it right.';
  const released = Math.max(...migrationJournal().map(({ when }) => when));
  if (now < released) {
    const found = `${shown} is before this release was made`;
    return { subject, verdict: 'problem', found, remedy };
  }
  const written = await newestFile(dataFolder);
  if (written !== undefined && written.at > now + minuteMs) {
    const found = `${shown}, but ${written.path} was written at ${new Date(written.at).toISOString()}: the clock was ahead then, or is behind now`;
    return { subject, verdict: 'warning', found, remedy };
  }
  return { subject, verdict: 'ok', found: shown };
}

/** Of the data folder itself; what is deeper is newer than its folder at most by what is being written. */
async function newestFile(folder: string): Promise<{ path: string; at: number } | undefined> {
  const names = await readdir(folder).catch((): string[] => []);
  const files = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      return { path, at: (await stat(path).catch(() => undefined))?.mtimeMs ?? 0 };
    }),
  );
  return files.sort((a, b) => b.at - a.at)[0];
}

async function isSynchronised(signal: AbortSignal): Promise<boolean | undefined> {
  if (process.platform !== 'linux') return undefined;
  const asked = await execa('timedatectl', ['show', '--property=NTPSynchronized', '--value'], {
    stdin: 'ignore',
    reject: false,
    cancelSignal: signal,
    timeout: 5_000,
  });
  const answer = asked.failed ? '' : asked.stdout.trim();
  if (answer === 'yes' || answer === 'no') return answer === 'yes';
  // Made by systemd's own service at its first synchronisation; its absence says nothing.
  const mark = await readFile('/run/systemd/timesync/synchronized').catch(() => undefined);
  return mark === undefined ? undefined : true;
}

/** Whether the daylight saving of a year is known: some builds of Node come without the data. */
function zoneFinding(): Finding {
  const subject = 'time zones';
  const offsets = [1, 7].map(
    (month) => DateTime.fromObject({ year: 2026, month, day: 15 }, { zone: 'America/Chicago' }).offset,
  );
  const found = `known; this machine is in ${Intl.DateTimeFormat().resolvedOptions().timeZone}`;
  if (offsets[0] === -360 && offsets[1] === -300) return { subject, verdict: 'ok', found };
  return {
    subject,
    verdict: 'problem',
    found: 'this Node does not know the daylight saving of America/Chicago',
    remedy: 'Use a Node with full ICU data, such as those of https://nodejs.org/.',
  };
}
