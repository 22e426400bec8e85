import { homedir } from 'node:os';
import { Readable } from 'node:stream';
import { createRoute, z } from '@hono/zod-openapi';
import { execa } from 'execa';
import { bundle } from '../../diagnostics/bundle.ts';
import { channelParts, type DiagnosticsDeps } from '../../diagnostics/channel-parts.ts';
import { shortenHome } from '../../diagnostics/shorten-home.ts';
import { NotFoundError } from '../../errors.ts';
import type { Masker } from '../../logs/masker.ts';
import { healthOf } from '../health-routes.ts';
import { apiRouter, failures, idParams } from './shared.ts';

const get = createRoute({
  method: 'get',
  path: '/channels/{id}/diagnostics',
  tags: ['channels'],
  summary: 'A zip file for a bug report: timeline, encoders, media, log and metrics, without secrets',
  request: { params: idParams },
  responses: {
    200: {
      content: { 'application/zip': { schema: z.string().openapi({ format: 'binary' }) } },
      description: 'The bundle; what could not be had is replaced by a file that says why',
    },
    ...failures,
  },
});

type Given = Omit<DiagnosticsDeps, 'ffmpegVersion' | 'health' | 'channels'> &
  Parameters<typeof healthOf>[0] & { channels: DiagnosticsDeps['channels']; masker: Pick<Masker, 'text'> };

export function diagnosticsRoutes(given: Given) {
  const app = apiRouter();
  const ffmpegVersion = askOnce(given.config.ffmpeg.path);
  const deps: DiagnosticsDeps = { ...given, ffmpegVersion, health: async () => healthOf(given) };
  const shorten = shortenHome(homedir());
  const mask = (text: string) => shorten(given.masker.text(text));

  app.openapi(get, async (c) => {
    const { id } = c.req.valid('param');
    const channel = deps.playout.channel(id);
    // Memory knows every channel, also while the database is away.
    if (channel === undefined) {
      throw new NotFoundError(`There is no channel ${id}.`, { operation: 'reading a channel' });
    }
    const now = Date.now();
    const headers = {
      'content-type': 'application/zip',
      'content-disposition': `attachment; filename="${fileName(channel.number, now)}"`,
      'cache-control': 'no-store',
    };
    if (c.req.method === 'HEAD') return c.body(null, 200, headers);
    const zip = bundle(channelParts(deps, channel, now), mask);
    return c.body(Readable.toWeb(zip) as ReadableStream<Uint8Array>, 200, headers);
  });

  return app;
}

/** With how it was built. Asked once only: to start a program holds up the streams for some milliseconds. */
function askOnce(ffmpegPath: string): () => Promise<string> {
  let known: Promise<string> | undefined;
  return () => {
    if (known === undefined) {
      const asked = execa(ffmpegPath, ['-version'], { stdin: 'ignore', timeout: 5_000 });
      known = asked.then(({ stdout }) => stdout.slice(0, 4_000));
      known.catch(() => {
        known = undefined;
      });
    }
    return known;
  };
}

/** Without characters that mean something in a header or to a file system. */
function fileName(channelNumber: string, at: number): string {
  const number = channelNumber.replaceAll(/[^\w.-]/g, '_');
  const time = new Date(at).toISOString().slice(0, 19).replaceAll(':', '');
  return `aircheck-channel-${number}-${time}Z.zip`;
}
