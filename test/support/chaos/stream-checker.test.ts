import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { slateArguments } from '../../../src/ffmpeg/arguments.ts';
import { profileSpecSchema } from '../../../src/ffmpeg/profile.ts';
import { cheapProfile, cheapRecordings } from './recordings.ts';
import { StreamChecker } from './stream-checker.ts';

const packet = 188;

describe('the checker of streams', () => {
  let programme: Buffer;
  let slate: Buffer;

  beforeAll(async () => {
    const clip = (await cheapRecordings()).find((file) => file.endsWith('.ts'));
    programme = await readFile(clip as string);
    const args = slateArguments(profileSpecSchema.parse(cheapProfile), 4, undefined);
    const { stdout } = await execa('ffmpeg', args, { encoding: 'buffer', stdin: 'ignore' });
    slate = Buffer.from(stdout);
  }, 60_000);

  const check = (...pieces: Buffer[]) => {
    const checker = new StreamChecker();
    for (const [index, piece] of pieces.entries()) checker.push(piece, index * 1_000);
    return { ...checker.figures(), moving: checker.moving, stills: checker.stills };
  };

  it('finds nothing wrong with a sound stream, however it is cut into pieces', () => {
    const pieces = Array.from({ length: Math.ceil(programme.length / 1_000) }, (_, index) =>
      programme.subarray(index * 1_000, (index + 1) * 1_000),
    );
    const { pictures, longestStepAt, ...found } = check(...pieces);
    expect(pictures).toBeGreaterThan(350);
    expect(found).toEqual({
      bytes: programme.length,
      packets: programme.length / packet,
      syncLosses: 0,
      continuityErrors: 0,
      discontinuities: 0,
      stepsBack: 0,
      longestStepMs: 40,
      trailingBytes: 0,
      stillMs: 0,
      moving: true,
      stills: [],
    });
  });

  it('counts a packet that is missing, a packet that is cut off, and bytes that are too many', () => {
    const half = Math.floor(programme.length / packet / 2) * packet;
    expect(check(programme.subarray(0, half), programme.subarray(half + packet)).continuityErrors).toBe(1);
    expect(check(programme.subarray(0, half + 100)).trailingBytes).toBe(100);
    expect(check(programme.subarray(0, half), Buffer.alloc(7), programme.subarray(half)).syncLosses).toBe(1);
  });

  it('sees that a clock starts again', () => {
    const { stepsBack, continuityErrors } = check(programme, programme);
    expect(stepsBack).toBeGreaterThan(0);
    expect(continuityErrors).toBeGreaterThan(0);
  });

  it('tells a slate from a programme', () => {
    const alone = check(slate);
    expect(alone.moving).toBe(false);
    expect(alone.stillMs).toBeGreaterThan(3_000);
    // The pieces arrive a second apart.
    const between = check(programme, slate, slate, programme);
    expect(between.moving).toBe(true);
    expect(between.stills).toEqual([{ from: 1_000, to: 3_000 }]);
  });
});
