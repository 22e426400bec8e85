import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  msToTicks,
  readTimestamp,
  ticksToMs,
  unwrap33,
  wrap33,
  wrapTicks,
  writePcr,
  writeTimestamp,
} from '../../src/mpegts/clock.ts';

/** Thirty years of channel time, and a little before its beginning. */
const ticks = fc.integer({ min: -(2 ** 33), max: 2 ** 47 });

describe('a time in 33 bits', () => {
  it('wraps at 26.5 hours, and not at the borders of 31 and 32 bits', () => {
    for (const border of [2 ** 31, 2 ** 32]) {
      expect([border - 1, border, border + 1].map(wrap33)).toEqual([border - 1, border, border + 1]);
    }
    expect([2 ** 33 - 1, 2 ** 33, 2 ** 33 + 1, 3 * 2 ** 33 + 7].map(wrap33)).toEqual([2 ** 33 - 1, 0, 1, 7]);
  });

  it('wraps before zero too', () => {
    expect(wrap33(-1)).toBe(2 ** 33 - 1);
    expect(wrap33(-(2 ** 33))).toBe(0);
  });

  it('is unwrapped to the count nearest to another one', () => {
    expect(unwrap33(5, 2 ** 33 - 5)).toBe(2 ** 33 + 5);
    expect(unwrap33(2 ** 33 - 5, 2 ** 33 + 5)).toBe(2 ** 33 - 5);
    expect(unwrap33(2 ** 33 - 5, 5)).toBe(-5);
    expect(unwrap33(2 ** 32, 2 ** 32 - 1)).toBe(2 ** 32);
  });

  it('comes back as it was from any place less than half a wrap away', () => {
    const apart = fc.integer({ min: -(2 ** 32) + 1, max: 2 ** 32 - 1 });
    fc.assert(
      fc.property(ticks, apart, (time, distance) => {
        expect(unwrap33(wrap33(time), time + distance)).toBe(time);
      }),
    );
  });
});

describe('a time in a PES header', () => {
  it('is read as it was written, with its marker bits, whatever lay there before', () => {
    fc.assert(
      fc.property(ticks, fc.constantFrom(1, 2, 3), fc.nat(255), (time, marker, dirt) => {
        const bytes = Buffer.alloc(7, dirt);
        writeTimestamp(bytes, 1, marker, time);
        expect(readTimestamp(bytes, 1)).toBe(wrap33(time));
        expect(bytes[1]! >> 4).toBe(marker);
        expect([bytes[1]! & 1, bytes[3]! & 1, bytes[5]! & 1]).toEqual([1, 1, 1]);
        expect([bytes[0], bytes[6]]).toEqual([dirt, dirt]);
      }),
    );
  });

  it('has the bits that ISO/IEC 13818-1 gives them', () => {
    const bytes = Buffer.alloc(5);
    writeTimestamp(bytes, 0, 2, 2 ** 33 - 1);
    expect(bytes.toString('hex')).toBe('2fffffffff');
    writeTimestamp(bytes, 0, 3, 2 ** 32);
    expect(bytes.toString('hex')).toBe('3900010001');
    writeTimestamp(bytes, 0, 1, 900_000);
    expect(bytes.toString('hex')).toBe('110037' + '7741');
  });
});

describe('a clock reference', () => {
  const read = (bytes: Buffer) => ({
    base: bytes.readUInt32BE(0) * 2 + (bytes[4]! >> 7),
    reserved: (bytes[4]! >> 1) & 0x3f,
    extension: (bytes[4]! & 1) * 256 + bytes[5]!,
  });

  it('is read as it was written, with an extension of zero', () => {
    fc.assert(
      fc.property(ticks, (time) => {
        const bytes = Buffer.alloc(6, 0xaa);
        writePcr(bytes, 0, time);
        expect(read(bytes)).toEqual({ base: wrap33(time), reserved: 0x3f, extension: 0 });
      }),
    );
  });

  it.each([2 ** 31, 2 ** 32, 2 ** 33])('passes %d', (border) => {
    for (const time of [border - 1, border, border + 1]) {
      const bytes = Buffer.alloc(6);
      writePcr(bytes, 0, time);
      expect(read(bytes).base).toBe(time % wrapTicks);
    }
  });

  it('spoils none of its bits where the frame rate makes fractions of a tick', () => {
    for (const fraction of [0.25, 0.5, 0.75, 0.999]) {
      const bytes = Buffer.alloc(6);
      writePcr(bytes, 0, 900_001 + fraction);
      const { base, reserved, extension } = read(bytes);
      expect({ reserved, extension }).toEqual({ reserved: 0x3f, extension: 0 });
      expect([900_001, 900_002]).toContain(base);
    }
  });
});

describe('milliseconds and ticks', () => {
  it('are ninety to one, rounded to a whole tick', () => {
    expect(msToTicks(1000)).toBe(90_000);
    expect(msToTicks(1000 / 3)).toBe(30_000);
    expect(ticksToMs(msToTicks(86_400_000))).toBe(86_400_000);
  });
});
