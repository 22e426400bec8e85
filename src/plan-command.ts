import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { InvalidError, messageOf, StorageError } from './errors.ts';
import { planCalendar } from './schedule/calendar.ts';
import { plan } from './schedule/plan.ts';
import { planTable } from './schedule/print.ts';
import { answerOf, readRequest } from './schedule/request.ts';

/** How a plan is printed: for programs, for reading, or for a calendar. */
export type PlanForm = 'json' | 'table' | 'calendar';

/**
 * Plans the request in a JSON file ("-" is standard input), and returns what to print.
 *
 * Throws StorageError when the file cannot be read, and InvalidError when it has no JSON or breaks the form of a
 * request: then the message has a line with its path for each wrong key.
 */
export async function planFile(file: string, form: PlanForm): Promise<string> {
  const input = readRequest(parsed(await contentOf(file), file));
  const output = plan(input);
  switch (form) {
    case 'json':
      return `${JSON.stringify(answerOf(output), undefined, 2)}\n`;
    case 'table':
      return planTable(input, output);
    case 'calendar':
      return planCalendar(input, output);
  }
}

async function contentOf(file: string): Promise<string> {
  if (file === '-') return text(process.stdin);
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why =
      code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : messageOf(cause);
    throw new StorageError(`${file} cannot be read: ${why}`, {
      operation: 'reading the plan request',
      cause,
    });
  }
}

function parsed(content: string, file: string): unknown {
  try {
    // Some editors begin a file with a byte order mark.
    return JSON.parse(content.replace(/^\uFEFF/, ''));
  } catch (cause) {
    const name = file === '-' ? 'What was read' : file;
    const message = `${name} is not JSON: ${messageOf(cause)}`;
    throw new InvalidError(message, { operation: 'reading the plan request', cause });
  }
}
