import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitAdts } from '../../src/mpegts/adts.ts';
import { ffmpeg, ffprobe } from './real-ffmpeg.ts';
import { adtsFrame } from './units.ts';

const frames = fc.array(fc.integer({ min: 7, max: 400 }), { maxLength: 12 });

describe('a buffer of ADTS', () => {
  it('is split into its frames, of whatever lengths they are', () => {
    fc.assert(
      fc.property(frames, (lengths) => {
        const made = lengths.map((length, index) => adtsFrame(length, index));
        expect(splitAdts(Buffer.concat(made))).toEqual(made);
      }),
    );
  });

  it('loses the frame that is cut off, and no other', () => {
    fc.assert(
      fc.property(
        frames,
        fc.integer({ min: 8, max: 400 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (lengths, last, part) => {
          const whole = lengths.map((length, index) => adtsFrame(length, index));
          const cut = adtsFrame(last, 1).subarray(0, Math.floor(last * part));
          expect(splitAdts(Buffer.concat([...whole, cut]))).toEqual(whole);
        },
      ),
    );
  });

  it('may begin with something else', () => {
    const frame = adtsFrame(200, 3);
    expect(splitAdts(Buffer.concat([Buffer.from('00ff00fff0', 'hex').subarray(0, 3), frame]))).toEqual([
      frame,
    ]);
  });

  it('of ffmpeg has as many frames as ffprobe counts', async () => {
    const sound = [
      '-v',
      'error',
      '-f',
      'lavfi',
      '-i',
      'sine=r=44100',
      '-t',
      '3',
      '-c:a',
      'aac',
      '-f',
      'adts',
      '-',
    ];
    const bytes = await ffmpeg(sound);
    const { streams } = await ffprobe(bytes, '-count_packets');
    const found = splitAdts(bytes);
    expect(found.length).toBe(Number(streams[0]!.nb_read_packets));
    expect(Buffer.concat(found)).toEqual(bytes);
  });
});
