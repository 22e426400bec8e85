import { gunzipSync, inflateRawSync } from 'node:zlib';
import pino from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { InvalidError, NotFoundError, UnavailableError } from '../../src/errors.ts';
import type { GuideChannel } from '../../src/guide/guide-channel.ts';
import type { GuideBody } from '../../src/guide/guide-document.ts';
import { GuideService, type GuideServiceDeps, type GuideSnapshot } from '../../src/guide/guide-service.ts';
import { openBase, pack, withBase, writtenBase } from '../../src/guide/packed.ts';
import { type FragmentRequest, localise, type RenderedFragment } from '../../src/guide/render.ts';
import { isNotModified } from '../../src/guide/validators.ts';
import { pieceFloor, pieceMs, renderWindow } from '../../src/guide/window.ts';
import { channel, hour } from './lineup.ts';

const log = pino({ level: 'silent' });
const base = 'http://tv.example.org';
const day = 24 * hour;

type Text = (request: FragmentRequest) => string | Promise<string>;

/** A guide of some channels; each says in every piece of time what `text` says for it at the time. */
function station(ids: string[], options: Partial<GuideServiceDeps> = {}) {
  const seen = {
    now: Date.UTC(2026, 0, 5, 18, 30),
    text: ((request) => request.channelId) as Text,
    /** Of each rendering, the channel. */
    rendered: [] as string[],
    packed: 0,
    localised: 0,
    signals: [] as AbortSignal[],
    showing: [] as string[],
    changedSince: [] as number[],
    lineup: ids.map((id) => lineupChannel(id)) as readonly GuideChannel[],
  };
  const guide = new GuideService({
    lineup: () => seen.lineup,
    render: async (request, signal) => {
      seen.rendered.push(request.channelId);
      seen.signals.push(signal);
      const text = await seen.text(request);
      const fragment = fragmentOf(text, request);
      seen.packed += fragment.pieces.filter(({ content }) => content !== undefined).length;
      return fragment;
    },
    localise: async (deflated, to) => {
      seen.localised += deflated.length;
      return localise(deflated, to);
    },
    showingChanged: async (since) => {
      seen.changedSince.push(since);
      return seen.showing;
    },
    config: {
      publicUrl: undefined,
      guide: { days: 7, language: 'en', newDays: 0, episodeIcon: 'still' },
    },
    log,
    now: () => seen.now,
    editWaitMs: 20_000,
    settleMs: 1,
    ...options,
  });
  guides.push(guide);
  return { guide, seen };
}

const guides: GuideService[] = [];
afterEach(async () => {
  for (const guide of guides.splice(0)) await guide.stop();
});

function lineupChannel(id: string): GuideChannel {
  return channel({ id, number: id.replace(/\D/g, '') || '1', name: id, guideId: `C.${id}` });
}

/** One line for each piece of time. A text with an exclamation mark has the server's address in it. */
function fragmentOf(text: string, request: FragmentRequest): RenderedFragment {
  const { from, to } = renderWindow(request);
  const pieces = [];
  for (let start = from; start < to; start += pieceMs) {
    const line = `${request.channelId} ${(start - from) / hour} ${text.replace('!', `${openBase}/x`)}\n`;
    const hash = `${start} ${line}`;
    const open = text.includes('!') ? 1 : 0;
    const local = open === 0 ? [] : request.bases;
    const whole = Buffer.from(line);
    const content = {
      packed: pack(whole),
      open,
      local: new Map(local.map((each) => [each, pack(withBase(whole, writtenBase(each)))])),
    };
    const isKnown = request.known.get(start) === hash;
    pieces.push({ start, reaches: start + pieceMs, hash, content: isKnown ? undefined : content });
  }
  return { pieces, problem: undefined };
}

async function bytesOf({ bytes, chunks }: GuideBody): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  const whole = Buffer.concat(all);
  expect(whole.length).toBe(bytes);
  return whole;
}

async function textOf({ document }: GuideSnapshot, at = base): Promise<string> {
  return (await bytesOf(document.plain(at))).toString();
}

/** The lines of programmes. */
async function linesOf(snapshot: GuideSnapshot): Promise<string[]> {
  return (await textOf(snapshot)).split('\n').filter((line) => line !== '' && !line.startsWith('<'));
}

describe('the guide', () => {
  it('is whole: the channels, then what each of them airs, then its end', async () => {
    const { guide } = station(['5', '6']);
    const text = await textOf(await guide.snapshot());
    expect(text).toMatch(
      /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<!DOCTYPE tv SYSTEM "xmltv\.dtd">\n<tv /,
    );
    expect(text.indexOf('<channel id="C.6">')).toBeLessThan(text.indexOf('5 0 5\n'));
    expect(text.indexOf('5 168 5\n')).toBeLessThan(text.indexOf('6 0 6\n'));
    expect(text.endsWith('</tv>\n')).toBe(true);
  });

  it('is the same compressed, as one gzip file of one member, for readers that know no other', async () => {
    const { guide, seen } = station(['5', '6', '7']);
    seen.text = ({ channelId }) => `${channelId} é!`;
    const { document } = await guide.snapshot();
    const zipped = await bytesOf(await document.gzip(base));
    expect(gunzipSync(zipped).equals(await bytesOf(document.plain(base)))).toBe(true);
    // Its one deflate stream reaches as far as the trailer of eight bytes.
    const { engine } = inflateRawSync(zipped.subarray(10), { info: true }) as unknown as {
      engine: { bytesWritten: number };
    };
    expect(engine.bytesWritten).toBe(zipped.length - 18);
  });

  it('is nothing but its frame when there is no channel', async () => {
    const { guide } = station([]);
    const { document } = await guide.snapshot();
    expect(gunzipSync(await bytesOf(await document.gzip(base))).toString()).toMatch(/<tv [^>]*>\n<\/tv>\n$/);
  });

  it('is written once for everybody who asks', async () => {
    const { guide, seen } = station(['5', '6']);
    const all = await Promise.all([guide.snapshot(), guide.snapshot(), guide.snapshot()]);
    expect(new Set(all.map(({ document }) => document)).size).toBe(1);
    expect((await guide.snapshot()).document).toBe(all[0]!.document);
    expect(seen.rendered).toEqual(['5', '6']);
  });
});

describe('an edit', () => {
  it('is in the guide of the next who asks, and only its channel is written anew', async () => {
    const { guide, seen } = station(['5', '6', '7']);
    const before = await guide.snapshot();
    seen.text = () => 'edited';
    expect((await guide.snapshot()).document).toBe(before.document);
    guide.invalidate('6');
    const after = await guide.snapshot();
    expect(seen.rendered).toEqual(['5', '6', '7', '6']);
    const lines = await linesOf(after);
    expect(lines).toContain('6 0 edited');
    expect(lines).toContain('7 0 7');
    expect(after.document.etag(base)).not.toBe(before.document.etag(base));
    expect(await linesOf(before)).toContain('6 0 6');
  });

  it('that was made last comes first: somebody may be waiting for it', async () => {
    const { guide, seen } = station(['5', '6', '7', '8']);
    await guide.snapshot();
    seen.rendered.length = 0;
    guide.invalidate();
    guide.invalidate('7');
    await guide.refresh();
    expect(seen.rendered).toEqual(['5', '7', '6', '8']);
  });

  it('is waited for amid hundreds of others, as of a library, and these are not', async () => {
    const ids = Array.from({ length: 200 }, (_, i) => `${i + 1}`);
    const { guide, seen } = station(ids, { editWaitMs: 600_000 });
    await guide.snapshot();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    seen.rendered.length = 0;
    seen.text = async () => {
      if (seen.rendered.length > 10) await held;
      return 'edited';
    };
    for (const id of ids) guide.invalidate(id);
    guide.invalidate('7');
    const lines = await linesOf(await guide.snapshot());
    expect(lines).toContain('7 0 edited');
    expect(lines).toContain('100 0 100');
    release();
    await guide.refresh();
    expect(await linesOf(await guide.snapshot())).toContain('100 0 edited');
  });

  it('is waited for when it comes while its channel is being written', async () => {
    const { guide, seen } = station(['5']);
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let title = 'a';
    seen.text = async () => {
      const read = title;
      if (seen.rendered.length === 1) await held;
      return read;
    };
    const first = guide.snapshot();
    title = 'b';
    guide.invalidate('5');
    const second = guide.snapshot();
    release();
    await first;
    expect(await linesOf(await second)).toContain('5 0 b');
    expect(seen.rendered).toHaveLength(2);
  });

  it('does not hold up who asks for longer than is bearable: the last good guide is served', async () => {
    const { guide, seen } = station(['5', '6'], { editWaitMs: 20 });
    const before = await guide.snapshot();
    let release = () => {};
    seen.text = async () => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return 'late';
    };
    guide.invalidate('5');
    expect((await guide.snapshot()).document).toBe(before.document);
    release();
    await guide.refresh();
    expect(await linesOf(await guide.snapshot())).toContain('5 0 late');
  });

  it('does not touch a guide that is being sent', async () => {
    const { guide, seen } = station(['5', '6']);
    const { document } = await guide.snapshot();
    const reading = document.plain(base);
    const chunks = reading.chunks[Symbol.asyncIterator]();
    let text = Buffer.from((await chunks.next()).value as Uint8Array).toString();
    seen.text = () => 'edited';
    guide.invalidate();
    expect(await linesOf(await guide.snapshot())).toContain('6 0 edited');
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) {
      text += Buffer.from(next.value).toString();
    }
    expect(text).not.toContain('edited');
    expect(text.length).toBe(reading.bytes);
  });

  it('that changes nothing keeps tag and date, and packs nothing', async () => {
    const { guide, seen } = station(['5', '6']);
    const before = await guide.snapshot();
    const { packed } = seen;
    seen.now += 60_000;
    guide.invalidate();
    const after = await guide.snapshot();
    expect(seen.rendered).toHaveLength(4);
    expect(seen.packed).toBe(packed);
    expect(after.document.etag(base)).toBe(before.document.etag(base));
    expect(after.lastModified).toBe(before.lastModified);
  });

  it('within the same second still gives a later date', async () => {
    const { guide, seen } = station(['5']);
    const before = await guide.snapshot();
    seen.text = () => 'edited';
    guide.invalidate('5');
    const after = await guide.snapshot();
    expect(Math.floor(after.lastModified / 1000)).toBeGreaterThan(Math.floor(before.lastModified / 1000));
  });

  it('of media is found by what has changed, and of the channels that show it', async () => {
    const { guide, seen } = station(['5', '6']);
    await guide.snapshot();
    seen.text = () => 'retitled';
    seen.showing = ['6'];
    guide.mediaChanged();
    guide.mediaChanged();
    await expect.poll(() => seen.rendered).toEqual(['5', '6', '6']);
    const lines = await linesOf(await guide.snapshot());
    expect(lines).toContain('6 0 retitled');
    expect(lines).toContain('5 0 5');
    expect(seen.changedSince).toHaveLength(1);
    expect(seen.changedSince[0]).toBeLessThan(seen.now);
  });

  it('of media is found later when the database is away at first', async () => {
    let calls = 0;
    const { guide, seen } = station(['5'], {
      retryMs: 1,
      showingChanged: async () => {
        if (++calls === 1) throw new Error('no database');
        return ['5'];
      },
    });
    await guide.snapshot();
    guide.mediaChanged();
    await expect.poll(() => seen.rendered).toEqual(['5', '5']);
  });
});

describe('channels that come and go', () => {
  it('are in the guide once they are written, and out of it at once', async () => {
    const { guide, seen } = station(['5', '6']);
    await guide.snapshot();
    seen.lineup = [...seen.lineup.slice(1), lineupChannel('7')];
    guide.invalidate('7');
    const text = await textOf(await guide.snapshot());
    expect([...text.matchAll(/<channel id="([^"]+)"/g)].map(([, id]) => id)).toEqual(['C.6', 'C.7']);
    expect(text).not.toContain('5 0 5');
    expect(text).toContain('7 0 7');
  });

  it('leave the others alone while they cannot be written yet', async () => {
    const { guide, seen } = station(['5'], { editWaitMs: 20 });
    await guide.snapshot();
    seen.text = ({ channelId }) => (channelId === '6' ? new Promise(() => {}) : channelId);
    seen.lineup = [...seen.lineup, lineupChannel('6')];
    guide.invalidate('6');
    const text = await textOf(await guide.snapshot());
    expect(text).toContain('C.5');
    expect(text).not.toContain('C.6');
  });

  it('wait for their first timelines, while those that are written go on being so', async () => {
    let isBeginning = false;
    const { guide, seen } = station(['5'], { firstMayWait: () => isBeginning, editWaitMs: 20 });
    await guide.snapshot();
    isBeginning = true;
    seen.lineup = ['5', '6'].map(lineupChannel);
    guide.invalidate();
    await guide.snapshot();
    expect(seen.rendered).toEqual(['5', '5']);
    isBeginning = false;
    guide.invalidate('6');
    await guide.refresh();
    expect(seen.rendered).toEqual(['5', '5', '6']);
  });

  it('are renamed without being written anew', async () => {
    const { guide, seen } = station(['5']);
    await guide.snapshot();
    seen.lineup = [{ ...seen.lineup[0]!, name: 'Renamed' }];
    expect(await textOf(await guide.snapshot())).toContain('<display-name>Renamed</display-name>');
    expect(seen.rendered).toHaveLength(1);
  });
});

describe('time', () => {
  it('changes nothing within the hour', async () => {
    const { guide, seen } = station(['5']);
    const before = await guide.snapshot();
    seen.now += 29 * 60_000;
    expect((await guide.snapshot()).document).toBe(before.document);
  });

  it('drops what is past and adds what is next, half a day at a time, and packs only what is new', async () => {
    const { guide, seen } = station(['5', '6']);
    // The last piece that is rendered is in reserve.
    const startsOf = async () =>
      (await linesOf(await guide.snapshot())).filter((line) => line.startsWith('5 ')).length;
    const first = pieceFloor(seen.now);
    expect(await startsOf()).toBe(15);
    const { packed } = seen;
    seen.now = first + pieceMs + hour;
    // Not written anew yet: the piece in reserve is shown.
    expect(await startsOf()).toBe(16);
    await guide.refresh();
    seen.now += 2 * hour;
    expect(await startsOf()).toBe(15);
    expect(seen.packed).toBeGreaterThan(packed);
    expect(seen.rendered).toEqual(['5', '6', '5', '6']);
  });

  it('has everything written anew in the end, without anybody asking for it', async () => {
    const { guide, seen } = station(['5', '6']);
    expect(await guide.refresh()).toMatchObject({ channels: 2, bytes: expect.any(Number) });
    seen.now += 5 * 60_000;
    await guide.refresh();
    expect(seen.rendered).toHaveLength(2);
    seen.now += pieceMs;
    await guide.refresh();
    expect(seen.rendered).toHaveLength(4);
  });
});

describe('when writing fails', () => {
  const away = () => Promise.reject(new Error('no database'));

  it('the last good guide is served, and the next try is a little later', async () => {
    const { guide, seen } = station(['5'], { retryMs: 50 });
    const good = await guide.snapshot();
    seen.text = away;
    guide.invalidate('5');
    expect((await guide.snapshot()).document).toBe(good.document);
    expect((await guide.snapshot()).document).toBe(good.document);
    expect(seen.rendered).toHaveLength(2);
    seen.text = () => 'back';
    await expect.poll(() => seen.rendered.length).toBeGreaterThan(2);
    expect(await linesOf(await guide.snapshot())).toContain('5 0 back');
  });

  it('the next try is at once when an edit comes', async () => {
    const { guide, seen } = station(['5'], { retryMs: 3_600_000 });
    seen.text = away;
    await expect(guide.snapshot()).rejects.toThrow(UnavailableError);
    seen.text = () => 'good';
    guide.invalidate('5');
    expect(await linesOf(await guide.snapshot())).toContain('5 0 good');
  });

  it('there is no guide before there is a whole one, and it says when to come back', async () => {
    const { guide, seen } = station(['5', '6', '7', '8'], { retryMs: 20 });
    seen.text = ({ channelId }) => (channelId === '5' ? channelId : away());
    const error = await guide.snapshot().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UnavailableError);
    expect(error).toMatchObject({ retryAfterSeconds: 1 });
    // However often it is tried.
    await expect.poll(() => seen.rendered.length).toBeGreaterThan(20);
    await expect(guide.snapshot()).rejects.toThrow(UnavailableError);
    seen.text = ({ channelId }) => channelId;
    await expect.poll(() => guide.snapshot().then(linesOf, () => [])).toContain('8 0 8');
  });

  it('one channel that never can be written is left out in the end', async () => {
    const { guide, seen } = station(['5', '6', '7'], { retryMs: 5 });
    seen.text = ({ channelId }) => (channelId === '6' ? away() : channelId);
    await expect.poll(() => guide.snapshot().then(linesOf, () => [])).toContain('7 0 7');
    expect(await textOf(await guide.snapshot())).not.toContain('C.6');
    await expect(guide.refresh()).rejects.toThrow('The guide of 1 channels could not be written.');
  });

  it('a writing that never ends is given up', async () => {
    const { guide, seen } = station(['5'], { timeoutMs: 20 });
    seen.text = () => new Promise(() => {});
    await expect(guide.snapshot()).rejects.toThrow(UnavailableError);
    expect(seen.signals[0]?.aborted).toBe(true);
  });

  it('a stop does not wait for it', async () => {
    const { guide, seen } = station(['5']);
    seen.text = () => new Promise(() => {});
    const asked = guide.snapshot();
    await guide.stop();
    await expect(asked).rejects.toThrow(UnavailableError);
    expect(seen.signals[0]?.aborted).toBe(true);
  });
});

describe('a part of the guide', () => {
  it('has the channels that are named, by id or number', async () => {
    const { guide } = station(['five5', 'six6', 'seven7']);
    const lines = await linesOf(await guide.snapshot({ channels: ['seven7', '5', 'gone'] }));
    expect(new Set(lines.map((line) => line.split(' ')[0]))).toEqual(new Set(['five5', 'seven7']));
    await expect(guide.snapshot({ channels: ['gone'] })).rejects.toThrow(NotFoundError);
    await expect(guide.snapshot({ channels: [] })).rejects.toThrow(NotFoundError);
  });

  it('reaches as many days ahead as are asked for, and no further than the guide does', async () => {
    const { guide, seen } = station(['5']);
    const until = async (days: number) => (await linesOf(await guide.snapshot({ days }))).length * pieceMs;
    const ahead = pieceFloor(seen.now) + pieceMs - pieceFloor(seen.now - 2 * hour);
    expect(await until(1)).toBe(ahead + day);
    expect(await until(3)).toBe(ahead + 3 * day);
    expect(await linesOf(await guide.snapshot({ days: 7 }))).toEqual(await linesOf(await guide.snapshot()));
    for (const days of [0, 8, 1.5, Number.NaN]) {
      await expect(guide.snapshot({ days })).rejects.toThrow(InvalidError);
    }
  });

  it('has a tag of its own, and writes nothing anew', async () => {
    const { guide, seen } = station(['5', '6']);
    const all = [
      await guide.snapshot(),
      await guide.snapshot({ days: 1 }),
      await guide.snapshot({ channels: ['5'] }),
    ];
    expect(new Set(all.map(({ document }) => document.etag(base))).size).toBe(3);
    expect(seen.rendered).toHaveLength(2);
    // Any number of selections may be asked for.
    for (let days = 1; days <= 7; days++) await guide.snapshot({ days, channels: ['6'] });
    expect((await guide.snapshot()).document.etag(base)).toBe(all[0]!.document.etag(base));
  });
});

describe('the addresses of pictures', () => {
  const other = 'https://tv.example.org:8443/air';

  it('are those by which the server was asked, each with its own tag', async () => {
    const { guide, seen } = station(['5', '6']);
    seen.text = () => 'picture!';
    const snapshot = await guide.snapshot();
    for (const at of [base, other]) {
      const text = await textOf(snapshot, at);
      expect(text).toContain(`5 0 picture${at}/x\n`);
      expect(gunzipSync(await bytesOf(await snapshot.document.gzip(at))).toString()).toBe(text);
    }
    expect(snapshot.document.etag(base)).not.toBe(snapshot.document.etag(other));
  });

  it('are written once for each address, and from then on together with the rest', async () => {
    const { guide, seen } = station(['5', '6']);
    seen.text = () => 'a!';
    const { document } = await guide.snapshot();
    await Promise.all([document.gzip(base), document.gzip(base)]);
    const { localised } = seen;
    expect(localised).toBe(30);
    seen.text = () => 'b!';
    guide.invalidate();
    const after = await guide.snapshot();
    expect(gunzipSync(await bytesOf(await after.document.gzip(base))).toString()).toContain(`6 0 b${base}/x`);
    expect(seen.localised).toBe(localised);
  });

  it('cost nothing where there are no pictures', async () => {
    const { guide, seen } = station(['5']);
    const { document } = await guide.snapshot();
    await document.gzip(base);
    await document.gzip(other);
    expect(seen.localised).toBe(0);
    expect(document.etag(base)).toBe(document.etag(other));
  });

  it('are kept for some addresses only, whatever clients claim', async () => {
    const { guide, seen } = station(['5']);
    seen.text = () => 'a!';
    const { document } = await guide.snapshot();
    for (let n = 0; n < 10; n++) await document.gzip(`http://host-${n}`);
    seen.text = ({ bases }) => {
      expect(bases).toEqual(['http://host-6', 'http://host-7', 'http://host-8', 'http://host-9']);
      return 'b!';
    };
    guide.invalidate();
    expect(await linesOf(await guide.snapshot())).toContain(`5 0 b${base}/x`);
  });

  it('that cannot be written are an error of their own', async () => {
    let fails = true;
    const { guide, seen } = station(['5'], {
      localise: async (deflated, to) => {
        if (fails) throw new Error('the thread has ended');
        return localise(deflated, to);
      },
    });
    seen.text = () => 'a!';
    const { document } = await guide.snapshot();
    await expect(document.gzip(base)).rejects.toThrow(UnavailableError);
    fails = false;
    expect(gunzipSync(await bytesOf(await document.gzip(base))).toString()).toContain(base);
  });
});

describe('asking whether a copy is still good', () => {
  const held = { etags: ['"a"', '"a-gzip"'], lastModified: Date.UTC(2026, 0, 5, 20, 0, 0, 700) };

  it.each([
    [{ ifNoneMatch: '"a"' }, true],
    [{ ifNoneMatch: 'W/"a-gzip"' }, true],
    [{ ifNoneMatch: '"x", "a"' }, true],
    [{ ifNoneMatch: '*' }, true],
    [{ ifNoneMatch: '"x"' }, false],
    [{ ifNoneMatch: '"x"', ifModifiedSince: 'Mon, 05 Jan 2026 20:00:00 GMT' }, false],
    [{ ifModifiedSince: 'Mon, 05 Jan 2026 20:00:00 GMT' }, true],
    [{ ifModifiedSince: 'Mon, 05 Jan 2026 19:59:59 GMT' }, false],
    [{ ifModifiedSince: 'yesterday' }, false],
    [{}, false],
  ])('answers %j with %s', (request, answer) => {
    expect(isNotModified(request, held)).toBe(answer);
  });
});
