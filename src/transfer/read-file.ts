import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { messageOf, type WrongPart } from '../errors.ts';
import { formatVersion, type TransferFile, transferSchema } from './format.ts';

/** What is wrong with a file: paths are such as `channels.0.zone`, or empty when it cannot be read as a whole. */
export interface WrongFile {
  problems: WrongPart[];
}

/** Reads a file of YAML or JSON. What is wrong is told with the path and the line, all of it at once. */
export function readFile(bytes: Uint8Array): { file: TransferFile } | WrongFile {
  const text = utf8(bytes);
  if (text === undefined) return unreadable('the file is not text in UTF-8');
  const lines = new LineCounter();
  let document: Document;
  let content: unknown;
  try {
    document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
    if (document.errors.length > 0)
      return unreadable(...document.errors.map(({ message }) => summary(message)));
    content = document.toJS();
  } catch (error) {
    // Aliases that multiply, or more levels than anybody needs.
    return unreadable(error instanceof RangeError ? 'it is nested too deeply' : messageOf(error));
  }
  const newer = ofAnotherVersion(content);
  if (newer !== undefined) return { problems: [newer] };
  const parsed = transferSchema.safeParse(content);
  const wrong = parsed.success ? unusableTexts(content) : parsed.error.issues.flatMap(described);
  if (parsed.success && wrong.length === 0) return { file: parsed.data };
  return {
    problems: wrong.map(({ path, message }) => ({
      path: path.map(String).join('.'),
      message: `${message}${lineOf(document, lines, path)}`,
    })),
  };
}

interface Finding {
  path: readonly PropertyKey[];
  message: string;
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function unreadable(...messages: string[]): WrongFile {
  return { problems: messages.map((message) => ({ path: '', message })) };
}

/** The parser adds an excerpt. */
function summary(message: string): string {
  return message.split('\n')[0]!.replace(/:$/, '');
}

/** Nothing else that could be said of such a file would help. */
function ofAnotherVersion(content: unknown): WrongPart | undefined {
  const path = 'aircheck';
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    return { path: '', message: 'it is not a file of channels, which begins with "aircheck: 1"' };
  }
  const { aircheck: version } = content as { aircheck?: unknown };
  if (version === formatVersion) return undefined;
  if (typeof version === 'number' && version > formatVersion) {
    const message = `the file is of version ${version}, and this server reads version ${formatVersion}: it was written by a newer aircheck, so update this one`;
    return { path, message };
  }
  const found = version === undefined ? 'it is missing' : `there is no version ${JSON.stringify(version)}`;
  return { path, message: `${found}; a file begins with "aircheck: ${formatVersion}"` };
}

function described(issue: z.core.$ZodIssue): Finding[] {
  const { path, message } = issue;
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...path, key], message: 'this key is not known here' }));
  }
  // "number: 5" looks right to whoever has written it.
  const unquoted = issue.code === 'invalid_type' && issue.expected === 'string' && !/undefined/.test(message);
  return [{ path, message: unquoted ? `${message}; put it in quotes` : message }];
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

/** Where the nearest thing stands that is in the file. */
function lineOf(document: Document, lines: LineCounter, path: readonly PropertyKey[]): string {
  let place: unknown = document.contents;
  let node: unknown = document.contents;
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find((one) => isScalar(one.key) && String(one.key.value) === String(key));
      if (pair === undefined) break;
      place = pair.key;
      node = pair.value;
    } else if (isSeq(node)) {
      const item = node.items[Number(key)];
      if (item === undefined) break;
      place = item;
      node = item;
    } else break;
  }
  const range = isNode(place) ? place.range : undefined;
  return range == null ? '' : ` (line ${lines.linePos(range[0]).line})`;
}
