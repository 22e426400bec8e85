import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono } from 'hono';
import type { ChannelManager } from '../streaming/channel-manager.ts';
import type { HttpEnvironment } from './environment.ts';

/** What a live stream is sent with: no length, no end, not to be kept. */
const streamHeaders = {
  'content-type': 'video/mp2t',
  'cache-control': 'no-store',
  connection: 'close',
  'accept-ranges': 'none',
  'x-accel-buffering': 'no',
  'access-control-allow-origin': '*',
};

/** The channels themselves. A player that asks for a range gets the live stream, which has none. */
export function streamRoutes(deps: { channels: ChannelManager }): Hono<HttpEnvironment> {
  const app = new Hono<HttpEnvironment>();
  app.get('/channel/:file{[^/]+\\.ts}', async (c) => {
    const name = c.req.param('file').slice(0, -'.ts'.length);
    if (c.req.method === 'HEAD') {
      deps.channels.find(name);
      return c.body(null, 200, streamHeaders);
    }
    const { outgoing } = c.env;
    await deps.channels.tune(name, outgoing, () => {
      // One buffer to every viewer, written by Node itself: no web stream in between.
      outgoing.socket?.setNoDelay(true);
      outgoing.writeHead(200, streamHeaders);
      outgoing.flushHeaders();
    });
    return RESPONSE_ALREADY_SENT;
  });
  return app;
}
