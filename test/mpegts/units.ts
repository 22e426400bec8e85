import { expect } from 'vitest';
import type { AccessUnit } from '../../src/mpegts/access-unit.ts';

/** Compares units; their payloads as bytes, for many at once take a matcher of values too long. */
export function expectSame(found: readonly AccessUnit[], wanted: readonly AccessUnit[]): void {
  const about = (units: readonly AccessUnit[]) =>
    units.map(({ stream, pts, dts, key, payload }) => [stream, pts, dts, key, payload.length]);
  expect(about(found)).toEqual(about(wanted));
  const different = found.findIndex((unit, index) => !unit.payload.equals(wanted[index]!.payload));
  expect(different, 'the first unit with another payload').toBe(-1);
}

/** Something of the right length that begins as an AAC-LC frame of 48 kHz stereo does; its body says `mark`. */
export function adtsFrame(length: number, mark = 0): Buffer {
  const frame = Buffer.alloc(length, mark % 0xff);
  frame.set([
    0xff,
    0xf1,
    0x4c,
    0x80 | (length >> 11),
    (length >> 3) & 0xff,
    ((length & 7) << 5) | 0x1f,
    0xfc,
  ]);
  return frame;
}

/** Something that begins as a coded picture does; its body says which one it is. */
export function picture(length: number, mark = 0): Buffer {
  const bytes = Buffer.alloc(Math.max(length, 1), mark % 0xff);
  bytes.set([0, 0, 0, 1, 9].slice(0, bytes.length));
  return bytes;
}

export interface SourceOptions {
  frames: number;
  frameTicks: number;
  /** Distance of key frames, in frames. */
  gop?: number;
  /** Between two pictures that are referred to there are so many that are not (x264's -bf). */
  between?: number;
  /** Pictures that are shown before the first key frame but come after it, as in an open GOP. */
  leading?: number;
  /** Time of the first picture. */
  from?: number;
  audioRate?: number;
  /** When the sound begins and ends, in ticks after the first picture; none where it ends before it begins. */
  soundFrom?: number;
  soundTo?: number;
  /** Each sound frame's time is off by this much. */
  jitter?: (index: number) => number;
  mark?: number;
}

/**
 * What an encoder would give: pictures in decoding order with exact times, and the sound among them. The
 * first sound frame's body is `mark`, the others' `mark` + 1.
 */
export function makeSource(options: SourceOptions): AccessUnit[] {
  const { frames, frameTicks, gop = 25, between = 0, leading = 0, from = 90_000, mark = 1 } = options;
  const order = decodingOrder(frames, gop, between, leading);
  const delay = (between > 0 ? 2 : 0) * frameTicks;
  const video = order.map(
    (shown, index): AccessUnit => ({
      stream: 'video',
      pts: Math.round(from + shown * frameTicks),
      dts: Math.round(from - delay + index * frameTicks),
      key: shown >= 0 && shown % gop === 0,
      payload: picture(40 + ((shown + 7) % 5) * 90, mark),
    }),
  );
  const slot = (1024 * 90_000) / (options.audioRate ?? 48_000);
  const { soundFrom = 0, soundTo = frames * frameTicks } = options;
  const audio: AccessUnit[] = [];
  for (let index = 0; soundFrom + index * slot < soundTo; index++) {
    const time = Math.round(from + soundFrom + index * slot + (options.jitter?.(index) ?? 0));
    const payload = adtsFrame(120 + (index % 7) * 10, index === 0 ? mark : mark + 1);
    audio.push({ stream: 'audio', pts: time, dts: time, key: true, payload });
  }
  return [...video, ...audio].sort((a, b) => a.dts - b.dts);
}

/** Numbers of the pictures as they are shown, in the order in which they are decoded. */
function decodingOrder(frames: number, gop: number, between: number, leading: number): number[] {
  const order: number[] = [0, ...Array.from({ length: leading }, (_, index) => index - leading)];
  let shown = 1;
  while (shown < frames) {
    const gopEnd = Math.min(frames, (Math.floor(shown / gop) + 1) * gop);
    // Closed GOPs: what comes between never refers beyond the GOP.
    const reference = shown % gop === 0 ? shown : Math.min(shown + between, gopEnd - 1);
    order.push(reference);
    for (let other = shown; other < reference; other++) order.push(other);
    shown = reference + 1;
  }
  return order;
}
