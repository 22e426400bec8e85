import { once } from 'node:events';
import http, { type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createAdaptorServer } from '@hono/node-server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { logRoutes } from '../../src/http/api/logs.ts';
import { LogStore } from '../../src/logs/log-store.ts';
import { logInto, temporaryFolder } from './folder.ts';

describe('a client of the stream that stops reading', () => {
  it('is told, when it reads again, how many entries it has lost, and nothing piles up for it', async () => {
    const { log, files, response } = await connected();
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (part: string) => {
      text += part;
    });
    await once(response, 'data');
    response.pause();
    response.socket.pause();
    const total = 60_000;
    for (let i = 0; i < total; i++) {
      log.info({ number: i, filling: 'x'.repeat(500) }, 'entry');
      if (i % 20 === 0) await nextTurn();
      if (i % 1_000 === 0) await files.flush();
    }
    response.resume();
    response.socket.resume();
    while (!/event: lost\ndata: .*\n\n/.test(text)) await once(response, 'data');
    const lost = JSON.parse(/event: lost\ndata: (.*)\n/.exec(text)![1]!);
    const received = text.match(/^id: /gm)!.length;
    expect(lost).toEqual({ reason: 'slow', entries: total - received });
    // 40 MB were logged; what was held is what fits into the sockets, and a megabyte.
    expect(received).toBeLessThan(total / 2);
    log.info('once more');
    while (!text.includes('once more')) await once(response, 'data');
    expect(text.match(/event: lost/g)).toHaveLength(1);
  });
});

/** A client of a server with nothing but the routes of the log. */
async function connected() {
  const logging = logInto(await temporaryFolder(), { maxBytes: 10_000_000, maxFiles: 10 });
  const store = new LogStore(logging);
  const server = createAdaptorServer({ fetch: logRoutes({ logs: store }).fetch }) as Server;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const request = http.get({ host: '127.0.0.1', port, path: '/logs/stream' });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  onTestFinished(async () => {
    request.destroy();
    server.close();
    await store.stop();
  });
  return { ...logging, response };
}
