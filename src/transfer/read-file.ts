import type { z } from 'zod';
import type { WrongPart } from '../errors.ts';
import { formatVersion, type TransferFile, transferSchema } from './format.ts';
import { readYaml, YamlError, type YamlFile } from './yaml-file.ts';

/** What is wrong with a file: the first problems, and how many more there are. */
export interface WrongFile {
  problems: WrongPart[];
  more: number;
}

const mostProblems = 100;

/** As many problems as anybody reads. */
export function wrongFile(problems: readonly WrongPart[]): WrongFile {
  return {
    problems: problems.slice(0, mostProblems),
    more: Math.max(0, problems.length - mostProblems),
  };
}

/**
 * Reads a file of YAML or JSON. What is wrong is told with the path and the line, all of it at once: paths are such
 * as `channels.0.zone`, or empty when the file cannot be read as a whole.
 */
export function readFile(bytes: Uint8Array): { file: TransferFile } | WrongFile {
  const text = utf8(bytes);
  if (text === undefined) return unreadable('it is not text in UTF-8');
  let yaml: YamlFile;
  try {
    yaml = readYaml(text);
  } catch (error) {
    if (error instanceof YamlError) return unreadable(...error.reasons);
    throw error;
  }
  const other = ofAnotherVersion(yaml.content);
  if (other !== undefined) return wrongFile([other]);
  const parsed = transferSchema.safeParse(yaml.content);
  const wrong = parsed.success ? unusableTexts(yaml.content) : parsed.error.issues.flatMap(described);
  if (parsed.success && wrong.length === 0) return { file: parsed.data };
  const { problems, more } = wrongFile(
    wrong.map(({ path, message }) => ({ path: path.map(String).join('.'), message })),
  );
  return {
    more,
    // Looking a line up takes a while where there are many keys.
    problems: problems.map(({ path, message }, index) => {
      const line = yaml.lineOf(wrong[index]!.path);
      return { path, message: line === undefined ? message : `${message} (line ${line})` };
    }),
  };
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function unreadable(...messages: string[]): WrongFile {
  return wrongFile([...new Set(messages)].map((message) => ({ path: '', message })));
}

/** Nothing else that could be said of such a file would help. */
function ofAnotherVersion(content: unknown): WrongPart | undefined {
  const path = 'aircheck';
  const begin = `a file of channels begins with "aircheck: ${formatVersion}"`;
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    return { path: '', message: begin };
  }
  const { aircheck: version } = content as { aircheck?: unknown };
  if (version === formatVersion) return undefined;
  if (typeof version === 'number' && version > formatVersion) {
    const message = `the file is of version ${version}, and this server reads version ${formatVersion}: it was written by a newer aircheck, so update this one`;
    return { path, message };
  }
  const found = version === undefined ? 'it is missing' : `there is no version ${JSON.stringify(version)}`;
  return { path, message: `${found}: ${begin}` };
}

interface Finding {
  path: readonly PropertyKey[];
  message: string;
}

function described(issue: z.core.$ZodIssue): Finding[] {
  const { path, message } = issue;
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...path, key], message: 'this key is not known here' }));
  }
  if (issue.code !== 'invalid_type') return [{ path, message }];
  if (message.endsWith('received undefined')) return [{ path, message: 'is missing' }];
  // "number: 5" looks right to whoever has written it.
  return [{ path, message: issue.expected === 'string' ? `${message}; put it in quotes` : message }];
}

const unusable = /\0|\p{Surrogate}/u;

/** A database keeps neither NUL nor half of a surrogate pair, and YAML can spell both. */
function unusableTexts(value: unknown, path: readonly PropertyKey[] = []): Finding[] {
  const message = 'holds a character that cannot be kept: NUL, or half of a surrogate pair';
  if (typeof value === 'string') return unusable.test(value) ? [{ path, message }] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) =>
    unusable.test(key) ? [{ path, message }] : unusableTexts(child, [...path, key]),
  );
}
