import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { AircheckError, InvalidError, messageOf, UnavailableError } from '../errors.ts';
import type { ImportOptions } from './import.ts';
import type { ImportedPart, ImportReport } from './import-run.ts';

// The command line talks to the server that runs: its database may be the embedded one, which nobody else can open.

/** A server that runs, and the key of its API. */
export interface Server {
  url: string;
  key: string;
}

/**
 * The server of a configuration, unless an address or a key is named. Throws InvalidError when the key cannot be
 * found.
 */
export async function serverOf(
  config: Config,
  named: { url?: string | undefined; key?: string | undefined },
): Promise<Server> {
  const url = (named.url ?? addressOf(config)).replace(/\/+$/, '');
  const key = named.key ?? config.adminKey;
  if (key !== undefined) return { url, key };
  const file = join(config.data, 'admin-key');
  try {
    return { url, key: (await readFile(file, 'utf8')).trim() };
  } catch (error) {
    throw new InvalidError(
      `The key of the server's API is not in ${file} (${messageOf(error)}). Name it by --key, or name the server's data folder in AIRCHECK_DATA.`,
      { operation: 'reading the admin key', cause: error },
    );
  }
}

/** Writes all of a server's channels into a file or to the standard output. */
export async function exportTo(server: Server, file: string | undefined): Promise<void> {
  const response = await call(server, 'GET', '/api/export');
  await write(file, await response.text());
}

/** Writes a file, as a whole or not at all, or to the standard output. */
export async function write(file: string | undefined, text: string): Promise<void> {
  if (file === undefined || file === '-') {
    // Whoever reads it may stop after some lines.
    process.stdout.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
    process.stdout.write(text);
    return;
  }
  const part = `${file}.part`;
  try {
    await writeFile(part, text);
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

/** Brings a file's channels into a server, and says what that has changed. Throws InvalidError when it is refused. */
export async function importFrom(server: Server, file: string, options: ImportOptions): Promise<string> {
  const text = await readFile(file === '-' ? '/dev/stdin' : file);
  const query = new URLSearchParams({ dryRun: String(options.dryRun), replace: String(options.replace) });
  const response = await call(server, 'POST', `/api/import?${query}`, text);
  return describe((await response.json()) as ImportReport);
}

function addressOf({ host, port }: Config): string {
  if (port === 0) {
    throw new InvalidError('The server takes any free port: name its address by --url.', {
      operation: 'finding the server',
    });
  }
  const everywhere = ['0.0.0.0', '::'].includes(host);
  const name = everywhere ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${port}`;
}

async function call(
  { url, key }: Server,
  method: string,
  path: string,
  body?: Uint8Array<ArrayBuffer>,
): Promise<Response> {
  const operation = `asking ${url}`;
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/yaml' };
  let response: Response;
  try {
    response = await fetch(`${url}${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
  } catch (error) {
    const reason = messageOf(error instanceof Error && error.cause !== undefined ? error.cause : error);
    throw new UnavailableError(
      `No server answers at ${url} (${reason}). Start it, or name another address by --url.`,
      { operation, cause: error },
    );
  }
  if (response.ok) return response;
  throw await refusal(response, url);
}

async function refusal(response: Response, url: string): Promise<AircheckError> {
  const operation = `asking ${url}`;
  if (response.status === 401) {
    return new InvalidError(`${url} does not take this key. Name the right one by --key.`, { operation });
  }
  const problem = (await response.json().catch(() => ({}))) as {
    detail?: string;
    errors?: { path: string; message: string }[];
  };
  const errors = (problem.errors ?? []).map(
    ({ path, message }) => `  ${path === '' ? 'file' : path}: ${message}`,
  );
  const detail = problem.detail ?? `${url} answered ${response.status}.`;
  return new AircheckError([detail, ...errors].join('\n'), { operation });
}

/** What an import has changed, for a person. */
function describe(report: ImportReport): string {
  const { libraries, profiles, collections, channels, awaited, notes, dryRun } = report;
  const lines = [
    ...parts(dryRun, 'library', libraries),
    ...parts(dryRun, 'profile', profiles),
    ...parts(dryRun, 'collection', collections),
    ...parts(dryRun, 'channel', channels),
    ...notes.map(({ path, message }) => `note: ${path}: ${message}`),
  ];
  if (awaited.total > 0) {
    lines.push(
      `note: ${awaited.total} media are not there yet; they take their places once a scan finds them:`,
    );
    lines.push(...awaited.examples.map(({ library, path }) => `  ${library}: ${path}`));
    if (awaited.total > awaited.examples.length) lines.push('  …');
  }
  return lines.length === 0 ? 'The file is empty.' : lines.join('\n');
}

function parts(dryRun: boolean, kind: string, all: readonly ImportedPart[]): string[] {
  const words = dryRun
    ? { add: 'would be added', replace: 'would be changed', keep: 'is there already' }
    : { add: 'added', replace: 'changed', keep: 'is there already' };
  return all.map(({ name, action }) => `${kind} ${name}: ${words[action]}`);
}
