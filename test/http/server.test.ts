import { OpenAPIHono } from '@hono/zod-openapi';
import { streamSSE } from 'hono/streaming';
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpEnvironment } from '../../src/http/environment.ts';
import { checkAddress } from '../../src/http/request-checks.ts';
import { HttpServer } from '../../src/http/server.ts';
import { exchange, open, parseAnswer, requestBytes } from '../support/raw-http.ts';

const limits = { headersTimeout: 200, requestTimeout: 600, connectionsCheckingInterval: 50 };
let server: HttpServer | undefined;

afterEach(() => server?.stop());

/** A server with limits so short that a test can wait for them. */
async function serve(build: (app: OpenAPIHono<HttpEnvironment>) => void): Promise<string> {
  const app = new OpenAPIHono<HttpEnvironment>();
  build(app);
  server = new HttpServer(app, { host: '127.0.0.1', port: 0 }, limits);
  await server.start();
  return `http://127.0.0.1:${server.port}`;
}

describe('a connection', () => {
  it.each([
    ['on which nothing is said', ''],
    ['whose headers do not end', 'GET / HTTP/1.1\r\nHost: x\r\nX-'],
    ['whose body does not come', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc'],
  ])('%s is closed', async (_, beginning) => {
    const base = await serve((app) => app.post('/', async (c) => c.text(await c.req.text().catch(() => ''))));
    const { socket, received, ended } = open(base);
    socket.write(beginning);
    await ended;
    expect([408, undefined]).toContain(parseAnswer(received()).status);
  });

  it('is not closed while an answer is under way, however long that takes', async () => {
    const base = await serve((app) =>
      app.get('/', (c) =>
        streamSSE(c, async (stream) => {
          for (let n = 0; n < 40; n++) {
            await stream.writeSSE({ data: String(n) });
            await stream.sleep(50);
          }
        }),
      ),
    );
    const answer = await (await fetch(base)).text();
    expect(answer.match(/^data:/gm)).toHaveLength(40);
  });

  it('is kept for the next request', async () => {
    const base = await serve((app) => app.get('/', (c) => c.text('yes')));
    const { socket, received } = open(base);
    const ask = async (count: number) => {
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      while (received().toString().split('200 OK').length <= count) {
        await new Promise((resolve) => socket.once('data', resolve));
      }
    };
    await ask(1);
    // Longer than any time that there is for a request.
    await new Promise((resolve) => setTimeout(resolve, 2 * limits.requestTimeout));
    await ask(2);
    expect(received().toString()).toMatch(/keep-alive: timeout=65/i);
    socket.destroy();
  });
});

describe('a HEAD request', () => {
  it('ends what the route has begun for a body', async () => {
    let leave: () => void = () => {};
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    const base = await serve((app) => {
      app.use(checkAddress);
      app.get('/', (c) =>
        streamSSE(c, async (stream) => {
          await new Promise<void>((resolve) => stream.onAbort(resolve));
          leave();
        }),
      );
    });
    const answer = await exchange(base, requestBytes({ method: 'HEAD', target: '/' }));
    expect([answer.status, answer.body]).toEqual([200, '']);
    await left;
  });
});

describe('a request without a Host', () => {
  it('is answered when it is of HTTP/1.0, which has none', async () => {
    const base = await serve((app) => app.get('/', (c) => c.text(c.req.url)));
    const answer = await exchange(base, Buffer.from('GET / HTTP/1.0\r\n\r\n'));
    expect([answer.status, answer.body]).toEqual([200, 'http://localhost/']);
  });
});
