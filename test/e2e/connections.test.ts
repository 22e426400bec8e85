import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goOnAir, type OnAir } from '../support/on-air.ts';
import { exchange, open, requestBytes } from '../support/raw-http.ts';
import { until } from '../support/server.ts';

let station: OnAir;
let server: OnAir['server'];
let channel: OnAir['channel'];
let authorized: readonly (readonly [string, string])[];
let halfSent: Promise<number>[];

beforeAll(async () => {
  station = await goOnAir();
  ({ server, channel } = station);
  authorized = [['Authorization', `Bearer ${server.key}`]];
  halfSent = ['', 'GET /health/live HTTP/1.1\r\n', 'GET / HTTP/1.1\r\nHost: x\r\nX-A: b'].map(closedAfter);
}, 120_000);

afterAll(() => station?.end());

describe('the server', () => {
  const answerTo = (text: string) => exchange(server.base, Buffer.from(text, 'latin1'));

  it('answers 431 to headers of a megabyte and 413 to a body of more', async () => {
    const large: [string, string] = ['X-Large', 'x'.repeat(1_000_000)];
    const headers = await exchange(server.base, requestBytes({ target: '/api/media', headers: [large] }));
    expect(headers.status).toBe(431);
    const many = Array.from({ length: 50_000 }, (_, i): [string, string] => [`X-${i}`, 'y']);
    expect(
      (await exchange(server.base, requestBytes({ target: '/health/live', headers: many }))).status,
    ).toBe(431);
    const json = [...authorized, ['Content-Type', 'application/json'], ['Expect', '100-continue']] as const;
    const request = { method: 'POST', target: '/api/collections', headers: json };
    const body = await exchange(server.base, requestBytes({ ...request, body: 'x'.repeat(3_000_000) }));
    expect(body.status).toBe(413);
    expect(body.headers['content-type']).toMatch('application/problem+json');
    const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`;
    const chunked = requestBytes({
      ...request,
      headers: [...json, ['Transfer-Encoding', 'chunked']],
      body: `${chunk}${chunk}0\r\n\r\n`,
      contentLength: null,
    });
    expect((await exchange(server.base, chunked)).status).toBe(413);
  });

  it('answers odd forms of an address', async () => {
    const host = server.base.slice('http://'.length);
    const status = async (target: string) =>
      (await answerTo(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)).status;
    expect(await status(`${server.base}/health/live`)).toBe(200);
    expect(await status('http://another.example/health/live')).toBe(200);
    expect(await status(`http://me:secret@${host}/api/channels`)).toBe(400);
    expect(await status(`http://me:secret@${host}/health/live`)).toBe(400);
    expect(await status('http://')).toBe(400);
    expect(await status('https://[::1/health/live')).toBe(400);
    expect(await status('//health/live')).toBe(404);
    expect(await status('/health//live')).toBe(404);
    expect(await status('/health%2Flive')).toBe(404);
    expect(await status('/iptv/../health/live')).toBe(200);
    expect(await status('/api/docs/../channels')).toBe(401);
    expect(await status('/api/docs/..%2Fchannels')).toBe(401);
    expect(await status('*')).toBe(400);
    expect(await status('health/live')).toBe(400);
    expect((await answerTo('GET /health/live HTTP/1.0\r\n\r\n')).status).toBe(200);
    expect((await answerTo('GET /health/live HTTP/1.1\r\nConnection: close\r\n\r\n')).status).toBe(400);
    expect((await answerTo('GET /health/live HTTP/9.9\r\n\r\n')).status).toBe(400);
    expect((await answerTo('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03')).status).toBe(400);
    expect((await answerTo('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')).status).toBe(400);
  });

  it('answers requests that come all at once in their order', async () => {
    const targets = ['/health/live', '/nonsense', '/api/channels', '/iptv/channels.m3u', '/health/ready'];
    const { socket, received, ended } = open(server.base);
    const last = targets.length - 1;
    socket.write(
      targets
        .map(
          (target, i) =>
            `GET ${target} HTTP/1.1\r\nHost: x\r\n${i === last ? 'Connection: close\r\n' : ''}\r\n`,
        )
        .join(''),
    );
    await ended;
    const statuses = [
      ...received()
        .toString('latin1')
        .matchAll(/HTTP\/1\.1 (\d+)/g),
    ].map(([, s]) => Number(s));
    expect(statuses).toEqual([200, 404, 401, 200, 200]);
  });

  it('puts nothing into a stream, whatever else comes on its connection', async () => {
    const { socket, received } = open(server.base);
    const ask = (target: string) => `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`;
    socket.write(['/health/live', `/iptv/channel/${channel.id}.ts`, '/health/live'].map(ask).join(''));
    await until('the stream', () => received().length > 100_000 || undefined);
    socket.write('nonsense\r\n\r\n');
    const more = received().length + 100_000;
    await until('more of it, or its end', () => received().length > more || socket.closed || undefined);
    socket.destroy();
    const answers = [
      ...received()
        .toString('latin1')
        .matchAll(/HTTP\/1\.1 (\d+)/g),
    ].map(([, status]) => status);
    expect(answers).toEqual(['200', '200']);
  });

  it('does not mistake a client that leaves amid its body for a mistake of its own', async () => {
    const before = server.output().length;
    const head = requestBytes({
      method: 'POST',
      target: '/api/collections',
      headers: [...authorized, ['Content-Type', 'application/json']],
      body: '{"name":',
      contentLength: 1_000,
    });
    const chunked = requestBytes({
      method: 'POST',
      target: '/api/collections',
      headers: [...authorized, ['Transfer-Encoding', 'chunked']],
      body: '5\r\n{"nam\r\n',
      contentLength: null,
    });
    for (const request of [head, chunked]) {
      const { socket, ended } = open(server.base);
      await new Promise<void>((resolve) => socket.write(request, () => resolve()));
      socket.resetAndDestroy();
      await ended;
    }
    // Whatever it has to say of those stands before its answer to the next one.
    await server.api('POST', '/tasks/playout/run');
    expect(server.output().slice(before)).not.toMatch(/a request failed|database does not answer/);
  });

  it('leaves no work behind for a HEAD request', async () => {
    const { body: libraries } = await server.api('GET', '/libraries');
    const target = `/api/libraries/${libraries.items[0].id}/scan/events`;
    const answer = await exchange(server.base, requestBytes({ method: 'HEAD', target, headers: authorized }));
    expect([answer.status, answer.body]).toEqual([200, '']);
    const stream = requestBytes({ method: 'HEAD', target: `/iptv/channel/${channel.id}.ts` });
    expect((await exchange(server.base, stream)).status).toBe(200);
  });

  it('closes connections on which a request is begun and never finished', async () => {
    for (const afterMs of await Promise.all(halfSent)) expect(afterMs).toBeLessThan(60_000);
  }, 90_000);

  it('has sent its channel all the while, and goes on', async () => {
    expect(station.viewer.ended()).toBe(false);
    const before = station.viewer.bytes();
    await until('more of the channel', () => station.viewer.bytes() > before + 100_000);
    expect((await server.api('GET', '/server')).body.viewers).toBe(1);
  });
});

/** After how many milliseconds the server closes a connection on which this was sent, and a header a second. */
async function closedAfter(beginning: string): Promise<number> {
  const startedAt = performance.now();
  const { socket, ended } = open(server.base);
  socket.write(beginning);
  const drip = setInterval(() => {
    if (beginning !== '' && socket.writable) socket.write('X-More: yes\r\n');
  }, 1_000);
  await ended;
  clearInterval(drip);
  return performance.now() - startedAt;
}
