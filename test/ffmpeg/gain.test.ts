import { describe, expect, it } from 'vitest';
import { gainFor } from '../../src/ffmpeg/gain.ts';
import { profileSpecSchema, shippedProfiles } from '../../src/ffmpeg/profile.ts';
import type { Loudness } from '../../src/library/analysis.ts';

const { spec } = shippedProfiles[0]!;
const aimingAt = (loudnessLufs: number | null) => ({ ...spec, audio: { ...spec.audio, loudnessLufs } });
const measured = (lufs: number, truePeakDb: number): Loudness => ({
  kind: 'measured',
  lufs,
  truePeakDb,
  at: 0,
});

describe('the gain', () => {
  it.each([
    ['makes what is loud quieter', -10, -0.1, -13],
    ['makes what is quiet louder', -30, -20, 7],
    ['is told to a tenth', -20.12, -3, -2.9],
    ['lets no peak come above -1 dBTP', -30, -5, 4],
    ['takes back peaks that are there already', -22, 0.8, -1.8],
    ['is 12 dB at most', -60, -40, 12],
    ['is -20 dB at least', 5, 9, -20],
    ['is none where nobody would hear it', -23.4, -10, 0],
    ['is none where the peak leaves too little for it', -30, -1.4, 0],
  ])('%s', (_, lufs, truePeakDb, gainDb) => {
    expect(gainFor(measured(lufs, truePeakDb), aimingAt(-23))).toBe(gainDb);
  });

  it('is the same for the same measurement, and follows the target of the profile', () => {
    const loudness = measured(-20, -6);
    expect([-30, -23, -16].map((target) => gainFor(loudness, aimingAt(target)))).toEqual([-10, -3, 4]);
  });

  it('is none without a target, without a measurement, and without sound', () => {
    const { loudnessLufs: _, ...audio } = spec.audio;
    expect(gainFor(measured(-10, 0), { ...spec, audio })).toBe(0);
    expect(gainFor(measured(-10, 0), aimingAt(null))).toBe(0);
    expect(gainFor(undefined, aimingAt(-23))).toBe(0);
    expect(gainFor({ kind: 'silent', at: 0 }, aimingAt(-23))).toBe(0);
    expect(gainFor({ kind: 'failed', reason: 'x', at: 0 }, aimingAt(-23))).toBe(0);
  });
});

describe('the target of a profile', () => {
  it('is that of broadcasters in the profiles of a new server', () => {
    expect(shippedProfiles.map((profile) => profile.spec.audio.loudnessLufs)).toEqual([-23, -23, -23]);
  });

  it.each([-5, -41, '-23'])('cannot be %s', (target) => {
    const profile = { ...spec, audio: { ...spec.audio, loudnessLufs: target } };
    expect(profileSpecSchema.safeParse(profile).success).toBe(false);
  });
});
