import { gzipSync } from 'node:zlib';
import pino from 'pino';
import { describe, expect, it } from 'vitest';
import { UnavailableError } from '../../src/errors.ts';
import { GuideService } from '../../src/guide/guide-service.ts';
import type { RenderedGuide } from '../../src/guide/render.ts';
import { entityTag, isNotModified } from '../../src/guide/validators.ts';

const log = pino({ level: 'silent' });

function rendered(text: string): RenderedGuide {
  const body = new TextEncoder().encode(text);
  return { body, gzip: new Uint8Array(gzipSync(body)), etag: entityTag(body), channels: 1, problems: [] };
}

/** A service whose render takes whatever `content` says at the time. */
function service(content: () => string | Promise<string>, options: { timeoutMs?: number } = {}) {
  const seen = { builds: 0, now: 1_000_000, signals: [] as AbortSignal[] };
  const guide = new GuideService({
    render: async ({ signal }) => {
      seen.builds += 1;
      seen.signals.push(signal);
      return rendered(await content());
    },
    log,
    now: () => seen.now,
    ...options,
  });
  return { guide, seen };
}

describe('the guide service', () => {
  it('builds once for everybody who asks', async () => {
    const { guide, seen } = service(() => 'a');
    const all = await Promise.all([guide.snapshot(), guide.snapshot(), guide.snapshot()]);
    expect(new Set(all).size).toBe(1);
    expect(await guide.snapshot()).toBe(all[0]);
    expect(seen.builds).toBe(1);
  });

  it('shows an edit to the next who asks, with another ETag', async () => {
    let text = 'a';
    const { guide, seen } = service(() => text);
    const before = await guide.snapshot();
    text = 'b';
    expect(await guide.snapshot()).toBe(before);
    guide.invalidate('channel');
    const after = await guide.snapshot();
    expect(after.body.toString()).toBe('b');
    expect(after.etag).not.toBe(before.etag);
    expect(before.body.toString()).toBe('a');
    expect(seen.builds).toBe(2);
  });

  it('shows an edit that came while it was building, and only then answers', async () => {
    let text = 'a';
    let release = () => {};
    const { guide, seen } = service(async () => {
      const read = text;
      if (seen.builds === 1) await new Promise<void>((resolve) => (release = resolve));
      return read;
    });
    const first = guide.snapshot();
    text = 'b';
    guide.invalidate();
    const second = guide.snapshot();
    release();
    expect((await first).body.toString()).toBe('a');
    expect((await second).body.toString()).toBe('b');
    expect(seen.builds).toBe(2);
  });

  it('keeps ETag, date and bytes when a build brings nothing new', async () => {
    const { guide, seen } = service(() => 'same');
    const before = await guide.snapshot();
    seen.now += 60_000;
    guide.invalidate();
    const after = await guide.snapshot();
    expect(seen.builds).toBe(2);
    expect(after).toMatchObject({ etag: before.etag, lastModified: before.lastModified, builtAt: seen.now });
    expect(after.body).toBe(before.body);
    expect(after.gzip).toBe(before.gzip);
  });

  it('builds anew after ten minutes, when somebody asks', async () => {
    const { guide, seen } = service(() => 'a');
    await guide.snapshot();
    seen.now += 599_999;
    await guide.snapshot();
    expect(seen.builds).toBe(1);
    seen.now += 1;
    await guide.snapshot();
    expect(seen.builds).toBe(2);
  });

  it('serves the last good guide when building fails, and tries again a little later', async () => {
    let broken = false;
    const { guide, seen } = service(() =>
      broken ? Promise.reject(new Error('no database')) : `${seen.builds}`,
    );
    const good = await guide.snapshot();
    broken = true;
    guide.invalidate();
    expect(await guide.snapshot()).toBe(good);
    expect(await guide.snapshot()).toBe(good);
    expect(seen.builds).toBe(2);
    broken = false;
    seen.now += 5_000;
    expect((await guide.snapshot()).body.toString()).toBe('3');
  });

  it('tries at once when an edit comes after a failure', async () => {
    let broken = true;
    const { guide } = service(() => (broken ? Promise.reject(new Error('no')) : 'good'));
    await expect(guide.snapshot()).rejects.toThrow(UnavailableError);
    broken = false;
    guide.invalidate();
    expect((await guide.snapshot()).body.toString()).toBe('good');
  });

  it('is unavailable, and says when to come back, when there never was a guide', async () => {
    const { guide, seen } = service(() => Promise.reject(new Error('no database')));
    const error = await guide.snapshot().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UnavailableError);
    expect(error).toMatchObject({ retryAfterSeconds: 5, cause: { message: 'no database' } });
    await expect(guide.snapshot()).rejects.toThrow(UnavailableError);
    expect(seen.builds).toBe(1);
  });

  it('gives a build up that never ends', async () => {
    const { guide, seen } = service(() => new Promise(() => {}), { timeoutMs: 20 });
    await expect(guide.snapshot()).rejects.toThrow(UnavailableError);
    expect(seen.signals[0]?.aborted).toBe(true);
  });

  it('has a strong ETag for each encoding', async () => {
    const { guide } = service(() => 'a');
    const { etag, gzipEtag } = await guide.snapshot();
    expect(etag).toMatch(/^"[\w-]{43}"$/);
    expect(gzipEtag).toMatch(/^"[\w-]{43}-gzip"$/);
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
