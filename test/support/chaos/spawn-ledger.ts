import { chmod, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

export interface Spawn {
  /** Epoch milliseconds. */
  at: number;
  pid: number;
  /** What it reads; undefined for a slate. */
  file: string | undefined;
}

/**
 * Stands where the server looks for ffmpeg, writes down every start and then becomes ffmpeg itself: however short
 * an encoder lives, it is counted, and not by those who started it.
 */
export class SpawnLedger {
  private constructor(
    /** For AIRCHECK_FFMPEG_PATH. */
    readonly program: string,
    private readonly ledger: string,
  ) {}

  static async make(folder: string): Promise<SpawnLedger> {
    const program = join(folder, 'ffmpeg');
    const ledger = join(folder, 'spawns');
    await writeFile(ledger, '');
    const real = process.env.AIRCHECK_FFMPEG_PATH ?? 'ffmpeg';
    const lines = [
      '#!/bin/sh',
      `for argument; do case $argument in file:*) file=$argument ;; esac; done`,
      `echo "$(date +%s%3N) $$ $file" >> '${ledger}'`,
      `exec '${real}' "$@"`,
    ];
    await writeFile(program, `${lines.join('\n')}\n`);
    await chmod(program, 0o755);
    return new SpawnLedger(program, ledger);
  }

  /** All starts so far, oldest first. */
  async spawns(): Promise<Spawn[]> {
    const lines = (await readFile(this.ledger, 'utf8')).split('\n').filter((line) => line !== '');
    const spawns = lines.map((line) => {
      const [at, pid, ...file] = line.split(' ');
      const path = file.join(' ').replace(/^file:/, '');
      return { at: Number(at), pid: Number(pid), file: path === '' ? undefined : path };
    });
    return spawns.toSorted((a, b) => a.at - b.at);
  }
}

/** Starts of the same file one after the other: an item that is tried again. */
export function restartsIn(spawns: readonly Spawn[]): Spawn[] {
  return spawns.filter((spawn, index) => index > 0 && spawn.file === spawns[index - 1]?.file);
}

export function spawnsIn(spawns: readonly Spawn[], folder: string): Spawn[] {
  return spawns.filter(({ file }) => file !== undefined && dirname(file) === folder);
}

/** The most of these instants (milliseconds, in order) within any window of this length. */
export function mostWithin(instants: readonly number[], windowMs: number): number {
  let most = 0;
  let first = 0;
  for (const [index, at] of instants.entries()) {
    while (at - (instants[first] as number) >= windowMs) first++;
    most = Math.max(most, index - first + 1);
  }
  return most;
}

/** For a report: the file's name and when it was started. */
export function described(spawn: Spawn, since: number): string {
  return `${((spawn.at - since) / 1000).toFixed(1)} s ${basename(spawn.file ?? 'slate')}`;
}
