import { Hono } from 'hono';
import pino from 'pino';
import { describe, expect, it } from 'vitest';
import { DatabaseError, type DatabaseFault, StorageError } from '../../src/errors.ts';
import { answerError } from '../../src/http/problems.ts';

describe('what the API answers when the database fails', () => {
  async function answerTo(error: Error) {
    const lines: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
    const app = new Hono();
    app.onError((thrown, c) => answerError(thrown, c, log));
    app.get('/', () => {
      throw error;
    });
    const response = await app.request('/');
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    const { detail, status } = (await response.json()) as { detail: string; status: number };
    expect(status).toBe(response.status);
    return { status, detail, retryAfter: response.headers.get('retry-after'), lines };
  }

  const failed = (fault: DatabaseFault) =>
    new DatabaseError('connect ECONNREFUSED 10.0.0.7:5432', { operation: 'reading media', fault });

  it('says when to come back if it is away or busy, and tells no address', async () => {
    const away = await answerTo(failed('away'));
    expect(away).toMatchObject({ status: 503, retryAfter: '10' });
    expect(away.detail).not.toContain('10.0.0.7');
    expect(await answerTo(failed('busy'))).toMatchObject({ status: 503, retryAfter: '1' });
  });

  it('invites nobody to repeat what may have been done', async () => {
    const { status, detail, retryAfter } = await answerTo(failed('uncertain'));
    expect({ status, retryAfter }).toEqual({ status: 503, retryAfter: null });
    expect(detail).toContain('Look before you try again');
  });

  it('names the remedy for a full disk', async () => {
    for (const error of [failed('full'), new StorageError('Free some space on /data.', full)]) {
      const { status, detail } = await answerTo(error);
      expect(status).toBe(507);
      expect(detail).toContain('Free some space');
    }
  });

  it('takes the blame for what the database refuses, in the log', async () => {
    const { status, lines } = await answerTo(failed('refused'));
    expect(status).toBe(500);
    expect(lines).toHaveLength(1);
    // The database has told of the others itself, and less often than there are requests.
    expect((await answerTo(failed('away'))).lines).toEqual([]);
  });
});

const full = { operation: 'writing', cause: Object.assign(new Error('no space'), { code: 'ENOSPC' }) };
