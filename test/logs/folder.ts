import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createLogger, type StoredLogging } from '../../src/logs/logger.ts';

/** A folder that goes when the test is over. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'aircheck-logs-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface TestLogging extends StoredLogging {
  /** What went to the standard output. */
  output: string[];
}

/** A logger with small files. */
export function logInto(folder: string, options: { maxBytes?: number; maxFiles?: number } = {}): TestLogging {
  const output: string[] = [];
  const logging = createLogger({
    level: 'trace',
    output: { write: (line) => void output.push(line) },
    files: { folder, maxBytes: 4_096, maxFiles: 100, retryMs: 20, ...options },
  });
  onTestFinished(() => logging.stop());
  return { ...logging, output };
}

/** Names of the log's files, the oldest first. */
export function filesIn(folder: string): string[] {
  return readdirSync(folder).sort();
}

/** Every line in the files. */
export function linesIn(folder: string): string[] {
  return filesIn(folder)
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'))
    .filter((line) => line !== '');
}

/** The messages in the files. */
export function messagesIn(folder: string): string[] {
  return linesIn(folder).map((line) => JSON.parse(line).msg as string);
}
