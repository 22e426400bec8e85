import { promisify } from 'node:util';
import { gzip as gzipCallback } from 'node:zlib';
import type { Database } from '../db/connection.ts';
import { answers, listGuideChannels, readGuideRows } from '../db/guide.ts';
import { messageOf } from '../errors.ts';
import type { EpochMs } from '../schedule/types.ts';
import type { GuideChannel } from './guide-channel.ts';
import { foldProgrammes, type GuideWindow, gridFloor, gridMs } from './programmes.ts';
import { entityTag } from './validators.ts';
import { programmeElements, xmltvDocument } from './xmltv.ts';

const gzip = promisify(gzipCallback);

/** At least so much of the past is in the guide. */
const pastMs = 2 * 3_600_000;

export interface RenderOptions {
  now: EpochMs;
  /** How far ahead the guide reaches. */
  days: number;
  /** ISO 639 code of titles and descriptions. */
  language: string;
}

/** The guide as text. Nothing else is in the arrays' buffers, so that they can be moved from thread to thread. */
export interface RenderedGuide {
  body: Uint8Array<ArrayBuffer>;
  gzip: Uint8Array<ArrayBuffer>;
  /** Of `body`, with quotes. */
  etag: string;
  channels: number;
  /** Channels whose programmes could not be written, and why. */
  problems: { channelId: string; message: string }[];
}

/**
 * Reads the timelines of all enabled channels and writes them as XMLTV. A channel that cannot be written is
 * shown under its name only. Throws when the database is away.
 *
 * Made for a worker thread: the text of 100 channels over two weeks is tens of megabytes.
 */
export async function renderGuide(db: Database, options: RenderOptions): Promise<RenderedGuide> {
  const window = guideWindow(options);
  const problems: RenderedGuide['problems'] = [];
  const channels = await listGuideChannels(db);
  const body = await bytesOf(xmltvDocument(channels, programmesOf));
  const packed = await gzip(body, { level: 6, chunkSize: 1 << 20 });
  return {
    body,
    gzip: new Uint8Array(packed),
    etag: entityTag(body),
    channels: channels.length,
    problems,
  };

  async function programmesOf(channel: GuideChannel): Promise<string> {
    try {
      const rows = await readGuideRows(db, channel.id, { from: window.from - gridMs, to: window.to });
      return programmeElements(channel, foldProgrammes(rows, window), options.language);
    } catch (error) {
      if (!(await answers(db))) throw error;
      problems.push({ channelId: channel.id, message: messageOf(error) });
      return programmeElements(channel, foldProgrammes([], window), options.language);
    }
  }
}

/** Its bounds move by whole steps, so that the document does not change because a minute has passed. */
function guideWindow({ now, days }: RenderOptions): GuideWindow {
  return { now, from: gridFloor(now - pastMs), to: gridFloor(now + days * 86_400_000) + gridMs };
}

/** Written straight into one buffer that doubles: what is reserved and not yet written takes no memory. */
async function bytesOf(fragments: AsyncIterable<string>): Promise<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  let bytes = new Uint8Array(1 << 20);
  let size = 0;
  for await (const fragment of fragments) {
    // No UTF-16 unit becomes more than three bytes.
    const needed = size + 3 * fragment.length;
    if (needed > bytes.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * bytes.length));
      larger.set(bytes.subarray(0, size));
      bytes = larger;
    }
    size += encoder.encodeInto(fragment, bytes.subarray(size)).written;
  }
  return bytes.subarray(0, size);
}
