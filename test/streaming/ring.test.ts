import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Chunk } from '../../src/mpegts/muxer.ts';
import { Ring } from '../../src/streaming/ring.ts';

const second = 90_000;

/** A chunk of a second that ends at `position`, with a key frame at its beginning unless it has none. */
function chunk(position: number, options: { bytes?: number; entries?: number[] } = {}): Chunk {
  const { bytes = 1880, entries = [0] } = options;
  return {
    bytes: Buffer.alloc(bytes),
    entries: entries.map((offset, index) => ({
      offset,
      pts: position - second + index * 9_000,
      counters: new Map(),
    })),
  };
}

function filled(seconds: number, limits: { ticks: number; bytes: number }): Ring {
  const ring = new Ring(limits);
  for (let at = 1; at <= seconds; at++) ring.push(chunk(at * second), at * second);
  return ring;
}

const roomy = { ticks: 1e9, bytes: 1e9 };

describe('a ring', () => {
  it('gives back what was put in by its sequence', () => {
    const ring = new Ring(roomy);
    const chunks = [1, 2, 3].map((at) => chunk(at * second));
    chunks.forEach((one, index) => {
      ring.push(one, (index + 1) * second);
    });
    expect([ring.first, ring.next]).toEqual([0, 3]);
    expect([0, 1, 2, 3].map((sequence) => ring.get(sequence))).toEqual([...chunks, undefined]);
    expect(ring.get(0)).toBe(chunks[0]);
    expect(ring.bytes).toBe(3 * 1880);
  });

  it('forgets what is older than its time', () => {
    const ring = filled(60, { ticks: 10 * second, bytes: 1e9 });
    expect(ring.next).toBe(60);
    expect(ring.next - ring.first).toBe(11);
    expect(ring.bytes).toBe(11 * 1880);
    expect(ring.get(ring.first - 1)).toBeUndefined();
    expect(ring.get(ring.first)).toBeDefined();
  });

  it('forgets what is beyond its bytes', () => {
    const ring = filled(60, { ticks: 1e9, bytes: 5 * 1880 });
    expect(ring.bytes).toBe(5 * 1880);
    expect([ring.first, ring.next]).toEqual([55, 60]);
  });

  it('never forgets the newest entry, nor what follows it', () => {
    const ring = new Ring({ ticks: second, bytes: 1000 });
    ring.push(chunk(second), second);
    for (let at = 2; at < 20; at++) ring.push(chunk(at * second, { entries: [] }), at * second);
    expect(ring.first).toBe(0);
    expect(ring.newestEntry()!.cursor).toEqual({ sequence: 0, offset: 0 });
    ring.push(chunk(20 * second), 20 * second);
    expect(ring.first).toBe(19);
    expect(ring.newestEntry()!.cursor.sequence).toBe(19);
  });

  it('keeps its bounds and its entries, whatever comes', () => {
    const any = fc.record({
      bytes: fc.integer({ min: 1, max: 40 }).map((n) => n * 188),
      key: fc.boolean(),
      ticks: fc.integer({ min: 1, max: second }),
    });
    fc.assert(
      fc.property(fc.array(any, { maxLength: 200 }), (parts) => {
        const limits = { ticks: 5 * second, bytes: 20_000 };
        const ring = new Ring(limits);
        let position = 0;
        let lastKey = 0;
        parts.forEach(({ bytes, key, ticks }, sequence) => {
          position += ticks;
          if (key) lastKey = sequence;
          ring.push(chunk(position, { bytes, entries: key ? [0] : [] }), position);
          const held = Array.from(
            { length: ring.next - ring.first },
            (_, index) => ring.get(ring.first + index)!,
          );
          expect(ring.bytes).toBe(held.reduce((sum, one) => sum + one.bytes.length, 0));
          // What goes beyond the limits is the newest entry's.
          if (ring.bytes > limits.bytes) expect(ring.first).toBe(lastKey);
          const oldest = ring.entryFor(Number.NEGATIVE_INFINITY);
          if (oldest !== undefined) expect(oldest.cursor.sequence).toBeGreaterThanOrEqual(ring.first);
        });
      }),
      { numRuns: 100 },
    );
  });
});

describe('an entry of a ring', () => {
  it('for a time is the newest that is shown at or before it', () => {
    const ring = filled(10, roomy);
    expect(ring.entryFor(4 * second)!.pts).toBe(4 * second);
    expect(ring.entryFor(4 * second - 1)!.pts).toBe(3 * second);
    expect(ring.entryFor(99 * second)!.pts).toBe(9 * second);
  });

  it('for a time before all is the oldest', () => {
    expect(filled(10, roomy).entryFor(-1)!.pts).toBe(0);
    expect(filled(60, { ticks: 10 * second, bytes: 1e9 }).entryFor(0)!.pts).toBe(49 * second);
  });

  it('is not there in an empty ring', () => {
    const ring = new Ring(roomy);
    expect(ring.entryFor(0)).toBeUndefined();
    expect(ring.newestEntry()).toBeUndefined();
  });

  it('knows its chunk and its byte, also where a chunk has several', () => {
    const ring = new Ring(roomy);
    ring.push(chunk(second), second);
    ring.push(chunk(2 * second, { entries: [188, 940] }), 2 * second);
    expect(ring.entryFor(second)!.cursor).toEqual({ sequence: 1, offset: 188 });
    expect(ring.newestEntry()!.cursor).toEqual({ sequence: 1, offset: 940 });
  });
});

describe('how far a reader lags', () => {
  it('is what it has not been given yet', () => {
    const ring = filled(10, roomy);
    expect(ring.lagOf(10)).toBe(0);
    expect(ring.lagOf(9)).toBe(second);
    expect(ring.lagOf(4)).toBe(6 * second);
  });

  it('is most for the one at the oldest chunk', () => {
    const ring = filled(60, { ticks: 10 * second, bytes: 1e9 });
    expect(ring.lagOf(ring.first)).toBeGreaterThanOrEqual(ring.lagOf(ring.first + 1));
  });
});
