import { crc32, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinedCrc, shiftOf } from '../../src/guide/crc32.ts';
import {
  countOpen,
  openBase,
  pack,
  packAside,
  unpack,
  unpackAside,
  withBase,
  writtenBase,
} from '../../src/guide/packed.ts';

const bytes = fc.uint8Array({ maxLength: 5_000 }).map((array) => Buffer.from(array));

describe('the CRC of joined texts', () => {
  it('is that of the whole', () => {
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 6 }), (texts) => {
        const joined = texts.reduce(
          (crc, text) => joinedCrc(crc, { crc: crc32(text), shift: shiftOf(text.length) }),
          0,
        );
        expect(joined).toBe(crc32(Buffer.concat(texts)));
      }),
    );
  });

  it('is right behind more than four gigabytes', () => {
    // The CRC of n zeros behind another n is that of 2n: from 1 MiB up to 8 GiB without a byte of it.
    let size = 2 ** 20;
    let crc = crc32(Buffer.alloc(size));
    for (; size < 2 ** 33; size *= 2) crc = joinedCrc(crc, { crc, shift: shiftOf(size) });
    // Multiplied out by halves or at once, it is the same.
    const half = { crc: 0, shift: shiftOf(2 ** 32) };
    expect(joinedCrc(joinedCrc(crc, half), half)).toBe(joinedCrc(crc, { crc: 0, shift: shiftOf(2 ** 33) }));
  });
});

describe('packed texts', () => {
  it('follow each other in one stream, in any order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(bytes, { minLength: 1, maxLength: 6 }), async (texts) => {
        const packed = texts.map(pack);
        const text = Buffer.concat(texts);
        expect((await unpackAside(packed.map(({ deflated }) => deflated))).equals(text)).toBe(true);
        // An empty last block ends the stream, for readers that insist on its end.
        const stream = Buffer.concat([...packed.map(({ deflated }) => deflated), Buffer.from([3, 0])]);
        expect(inflateRawSync(stream).equals(text)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('are the same whether they are packed on this thread or aside', async () => {
    const text = Buffer.from('a text, a text, a text');
    expect(await packAside(text)).toEqual(pack(text));
    expect(unpack(pack(text).deflated).equals(text)).toBe(true);
  });

  it('can be moved to another thread', () => {
    const { deflated } = pack(Buffer.from('a text'));
    expect(deflated.byteLength).toBe(deflated.buffer.byteLength);
    expect(structuredClone(deflated, { transfer: [deflated.buffer] }).length).toBeGreaterThan(0);
  });
});

describe('a text with the address left open', () => {
  it('gets it wherever it was left open, fit for XML', () => {
    const text = Buffer.from(`<icon src="${openBase}/a.jpg"/>é<image>${openBase}/b.jpg</image>`);
    expect(countOpen(text)).toBe(2);
    expect(withBase(text, writtenBase('http://tv/a&b')).toString()).toBe(
      '<icon src="http://tv/a&amp;b/a.jpg"/>é<image>http://tv/a&amp;b/b.jpg</image>',
    );
  });

  it('is itself when nothing was left open', () => {
    const text = Buffer.from('nothing');
    expect(withBase(text, writtenBase('http://tv'))).toBe(text);
  });
});
