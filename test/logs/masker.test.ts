import fc from 'fast-check';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { createLogger } from '../../src/logs/logger.ts';
import { Masker } from '../../src/logs/masker.ts';

const secret = 'S3cr3t-pLanted';

/** Each text holds the secret, and nothing of it may be left. What is listed beside it must be. */
const texts: [text: string, kept: string][] = [
  [`http://user:${secret}@media.lan:8080/a.ts`, 'media.lan:8080/a.ts'],
  [`http://${secret}@media.lan/a.ts`, 'media.lan/a.ts'],
  [`postgres://aircheck:${secret}@db:5432/aircheck`, 'db:5432/aircheck'],
  [`postgres://aircheck:p/w@x${secret}@db:5432/aircheck`, 'db:5432/aircheck'],
  [`connect failed: rtsp://cam:${secret}@10.0.0.5:554/live (timeout)`, '10.0.0.5:554/live (timeout)'],
  [`http://lan/live?token=${secret}`, 'http://lan/live?token='],
  [`http://lan/live?a=1&key=${secret}&b=2`, '&b=2'],
  [`http://lan/live?apikey=${secret}#t`, '#t'],
  [`http://lan/live?api_key=${secret}&x=y`, '&x=y'],
  [`http://lan/player_api.php?username=u&password=${secret}&action=x`, '&action=x'],
  [`http://lan/?secret=${secret}`, 'http://lan/'],
  [`http://lan/?auth=${secret}&ok=1`, '&ok=1'],
  [`http://lan/?sig=${secret}&ok=1`, '&ok=1'],
  [`http://lan/?X-Plex-Token=${secret}&ok=1`, '&ok=1'],
  [`http://lan/?access_token=${secret}&ok=1`, '&ok=1'],
  [`http://lan/?X-Amz-Signature=${secret}&ok=1`, '&ok=1'],
  [`/proxy?url=http%3A%2F%2Fu%3A${secret}%40lan%2Fa.ts`, 'lan%2Fa.ts'],
  [`postgres:%2F%2Fu:${secret}@lan/x`, '@lan/x'],
  [`/proxy?url=http%3A%2F%2Flan%2Fa%3Ftoken%3D${secret}`, '/proxy?url=http%3A%2F%2Flan%2Fa'],
  [`Authorization: Bearer ${secret}\r\nAccept: */*`, 'Accept: */*'],
  [`authorization: Basic ${Buffer.from(`u:${secret}`).toString('base64')}`, 'authorization: '],
  [`Authorization: Digest username="u", response="${secret}"`, 'Authorization: '],
  [`the header was "Bearer ${secret}"`, 'the header was'],
  [`Cookie: session=${secret}; theme=dark\nHost: lan`, 'Host: lan'],
  [`X-Emby-Token: ${secret}`, 'X-Emby-Token'],
  [`{"user":"u","password":"${secret}","n":1}`, '"user":"u"'],
  [`{user: 'u', apiKey: '${secret}'}`, "user: 'u'"],
  [`password="two words ${secret}" host=db`, 'host=db'],
  [`ffmpeg -i x --api-token ${secret} -c copy`, '-c copy'],
  [`ffmpeg -decryption_key ${secret} -i x`, '-i x'],
  [`PGPASSWORD=${secret} psql`, 'psql'],
];

describe('a masked text', () => {
  it.each(texts)('%s', (text, kept) => {
    const masked = new Masker().text(text);
    expect(masked).not.toContain(secret);
    expect(masked).not.toContain(Buffer.from(`u:${secret}`).toString('base64').slice(0, 12));
    expect(masked).toContain(kept);
    expect(masked).toContain('***');
  });

  it.each([
    'no key frame near: this airing is encoded',
    'ffmpeg -force_key_frames expr:gte(t,n_forced*1) -keyint_min 25 -x264-params keyint=50:scenecut=0',
    'http://media.lan:8080/live/5.ts?user=me&quality=720',
    'http://[fe80::1]:8080/a@b.ts',
    '/media/Movies/The Secret Garden (1993)/The Secret Garden.mkv',
    'the bucket has 5 tokens left',
    'monkey=business',
    'author: somebody',
  ])('keeps what is no secret: %s', (text) => {
    expect(new Masker().text(text)).toBe(text);
  });

  it('hides a known secret in every form in which a URL may carry it', () => {
    const masker = new Masker();
    const odd = 'pä ss"w\\or/d&?';
    masker.add(odd);
    for (const form of [odd, encodeURIComponent(odd), new URLSearchParams({ a: odd }).toString().slice(2)]) {
      expect(masker.text(`before ${form} after`)).toBe('before *** after');
    }
  });

  it('knows the password of a URL as it stands there and as it is meant', () => {
    const masker = new Masker();
    masker.addPasswordOf('postgres://aircheck:p%40ssw0rd%21@db/aircheck');
    expect(masker.text('p%40ssw0rd%21 and p@ssw0rd!')).toBe('*** and ***');
  });

  it('does not take a short word for a secret', () => {
    const masker = new Masker();
    masker.addPasswordOf('postgres://pg:pg@db/pg');
    expect(masker.text('the pg of pg')).toBe('the pg of pg');
  });

  it('is made in a time that grows no faster than the text', () => {
    const masker = new Masker();
    const begun = performance.now();
    for (const piece of [
      '://',
      '://a:b',
      '--a',
      '%3A%2F%2F',
      "password='",
      'authorization:',
      'key ',
      'Bearer +',
    ]) {
      masker.text(piece.repeat(100_000));
    }
    // Takes 50 ms; with one pattern that is quadratic it would be minutes.
    expect(performance.now() - begun).toBeLessThan(10_000);
  });
});

describe('a masked line', () => {
  it('hides what stands under a name that says so, on every depth', async () => {
    const line = await logged({
      config: { adminKey: secret, nested: [{ password: secret }, { 'x-plex-token': [secret] }] },
      auth: { user: secret, pass: secret },
      pin: 5,
      tokens: 5,
      password: 123_456,
    });
    expect(line).not.toContain(secret);
    expect(JSON.parse(line)).toMatchObject({ pin: 5, tokens: 5, password: '***' });
  });

  it('hides what follows a name in a list: arguments of an encoder, raw headers', async () => {
    const args = [
      '-headers',
      `Authorization: Bearer ${secret}\r\n`,
      '-decryption_key',
      secret,
      '-i',
      'a.mkv',
    ];
    const line = await logged({ args, rawHeaders: ['Host', 'lan', 'X-Plex-Token', secret] });
    expect(line).not.toContain(secret);
    expect(line).toContain('"-i","a.mkv"');
  });

  it('hides what an error says, its stack and its causes', async () => {
    const cause = new Error(`connect postgres://u:${secret}@db/x`);
    const err = Object.assign(new Error(`while asking http://lan/?token=${secret}`, { cause }), {
      operation: `reading http://lan/?key=${secret}`,
      request: { headers: { authorization: `Basic ${secret}` } },
    });
    const line = await logged({ err });
    expect(line).not.toContain(secret);
    expect(JSON.parse(line).err.stack).toContain('masker.test.ts');
  });

  it('keeps its id and its time, even where another field has the same name', async () => {
    const line = await logged({ id: `token=${secret}`, time: secret, password: 'x' }, [secret]);
    expect(line).toMatch(/^\{"level":"info","time":"[^"]{24}","id":"[0-9a-z]{11}",/);
    expect(line).not.toContain(secret);
  });

  it('has no more than some 64 KiB', async () => {
    expect((await logged({ stderr: 'x'.repeat(1_000_000) })).length).toBeLessThan(20_000);
    const line = await logged({ all: Array.from({ length: 100 }, () => 'y'.repeat(10_000)) });
    expect(line.length).toBeLessThan(20_000);
    expect(JSON.parse(line)).toMatchObject({ msg: 'said', cut: expect.any(String) });
  });

  it('has no known secret left in any field, and stays JSON', async () => {
    const planted = fc
      .string({ unit: 'grapheme', minLength: 6, maxLength: 30 })
      .filter((text) => !text.includes('*'));
    await fc.assert(
      fc.asyncProperty(
        planted,
        fc.string({ unit: 'grapheme' }),
        fc.string({ unit: 'grapheme' }),
        async (known, a, b) => {
          const carrier = a + known + b;
          const line = await logged(
            {
              text: carrier,
              [carrier]: { deep: [[carrier], { deeper: carrier }] },
              err: new Error(carrier, { cause: new Error(carrier) }),
              args: ['-i', carrier],
            },
            [known],
            carrier,
          );
          expect(textsIn(JSON.parse(line)).filter((text) => text.includes(known))).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('has no secret of a URL or header left that it was not told of, and stays JSON', async () => {
    const planted = fc.stringMatching(/^[A-Za-z0-9._~!*'()-]{8,40}$/).filter((text) => !text.includes('***'));
    const name = fc.constantFrom(
      'token',
      'key',
      'apikey',
      'api_key',
      'password',
      'secret',
      'auth',
      'sig',
      'X-Plex-Token',
    );
    const around = fc.string({ unit: 'binary-ascii', maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(planted, name, around, around, async (unknown, parameter, before, after) => {
        const forms = [
          `${before} http://lan/a?x=1&${parameter}=${unknown}&y=2 ${after}`,
          `${before} https://user:${unknown}@lan:8443/a ${after}`,
          `${before}\nAuthorization: Bearer ${unknown}\n${after}`,
        ];
        for (const text of forms) {
          const line = await logged({ text, deep: [{ text }], err: new Error(text) }, [], text);
          expect(textsIn(JSON.parse(line)).filter((found) => found.includes(unknown))).toEqual([]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is the same line where there is nothing to hide', async () => {
    const plain: string[] = [];
    const log = pino({ base: null, timestamp: false }, { write: (line: string) => void plain.push(line) });
    log.info({ channel: '5', bytes: 12, big: 2 ** 60 }, 'viewer gone');
    expect(new Masker().line(plain[0]!)).toBe(plain[0]);
  });
});

/** The line that the logger writes for these fields. */
async function logged(fields: object, secrets: string[] = [], msg = 'said'): Promise<string> {
  const lines: string[] = [];
  const { log, masker, stop } = createLogger({
    level: 'info',
    output: { write: (line) => void lines.push(line) },
  });
  for (const known of secrets) masker.add(known);
  log.info(fields, msg);
  await stop();
  expect(lines).toHaveLength(1);
  return lines[0]!;
}

/** Every name and every text in a value. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) => [name, ...textsIn(item)]);
}
