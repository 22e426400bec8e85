import http from 'node:http';
import type { RunningServer } from '../server.ts';
import type { Logbook } from './logbook.ts';

/** Longer than any wait of the server for its database. */
const patienceMs = 40_000;

/** An admin whose every answer is looked at. Each call has a connection of its own, so that none stays open. */
export class ApiClient {
  constructor(
    private readonly server: RunningServer,
    private readonly log: Logbook,
  ) {}

  /** Returns undefined when there was no answer, which is a fault. */
  async call(
    method: string,
    path: string,
    body?: unknown,
    // biome-ignore lint/suspicious/noExplicitAny: tests look into answers as any client would
  ): Promise<{ status: number; body: any } | undefined> {
    const what = `${method} /api${path}`;
    try {
      const { status, text } = await this.ask(method, path, body);
      this.log.answered(status, `${what} (${text.slice(0, 200)})`);
      return { status, body: text === '' ? undefined : JSON.parse(text) };
    } catch (error) {
      this.log.fault(`${what} was not answered: ${String(error)}`);
      return undefined;
    }
  }

  private ask(method: string, path: string, body?: unknown): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const request = http.request(`${this.server.base}/api${path}`, {
        method,
        agent: false,
        headers: {
          authorization: `Bearer ${this.server.key}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
      });
      const timer = setTimeout(
        () => request.destroy(new Error(`nothing within ${patienceMs} ms`)),
        patienceMs,
      );
      request.on('close', () => clearTimeout(timer));
      request.on('error', reject);
      request.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          text += part;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.on('error', reject);
      });
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}
