import { isScalar, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { type TransferFile, transferSchema } from './format.ts';

/** What is wrong with a part of a file. */
export interface FileProblem {
  /** Such as `channels.0.zone`; empty when the file as a whole cannot be read. */
  path: string;
  message: string;
}

/** Reads a file of YAML or JSON. What is wrong is told with the path and the line, all of it at once. */
export function readFile(text: string): { file: TransferFile } | { problems: FileProblem[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  if (document.errors.length > 0) {
    return { problems: document.errors.map(({ message }) => ({ path: '', message: firstLine(message) })) };
  }
  let content: unknown;
  try {
    content = document.toJS();
  } catch (error) {
    return { problems: [{ path: '', message: error instanceof Error ? error.message : String(error) }] };
  }
  const parsed = transferSchema.safeParse(content);
  if (parsed.success) return { file: parsed.data };
  const lineOf = (path: readonly PropertyKey[]): string => {
    for (let length = path.length; length > 0; length--) {
      const node = document.getIn(path.slice(0, length), true) as
        | { range?: [number, number, number] }
        | undefined;
      if (node?.range != null) return ` (line ${lines.linePos(node.range[0]).line})`;
    }
    return '';
  };
  const problems = parsed.error.issues.flatMap((issue) =>
    described(issue).map(({ path, message }) => ({
      path: path.map(String).join('.'),
      message: `${message}${isScalar(document.contents) ? '' : lineOf(path)}`,
    })),
  );
  return { problems };
}

function described(issue: z.core.$ZodIssue): { path: PropertyKey[]; message: string }[] {
  if (issue.code !== 'unrecognized_keys') return [{ path: issue.path, message: issue.message }];
  return issue.keys.map((key) => ({ path: [...issue.path, key], message: 'this key is not known here' }));
}

/** The parser adds an excerpt. */
function firstLine(message: string): string {
  return message.split('\n')[0]!.replace(/:$/, '');
}
