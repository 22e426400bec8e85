import { z } from 'zod';

/**
 * The one output format of a channel. Everything that a channel sends, slate included, has exactly these
 * parameters, which is what lets items be joined without a discontinuity.
 */
export const profileSpecSchema = z.strictObject({
  video: z.strictObject({
    codec: z.literal('h264'),
    width: z.int().min(128).max(4096).multipleOf(2),
    height: z.int().min(96).max(2304).multipleOf(2),
    /** Frames a second, as a fraction: 30/1, 30000/1001. */
    frameRate: z.strictObject({ num: z.int().min(1).max(120_000), den: z.int().min(1).max(1001) }),
    bitrateKbps: z.int().min(100).max(50_000),
    /** x264's speed: a slower one looks better at the same rate and costs more CPU. */
    preset: z.enum(['ultrafast', 'superfast', 'veryfast', 'faster', 'fast', 'medium']).default('veryfast'),
    /** Distance of key frames; a viewer can only enter at one. */
    keyframeMs: z.int().min(250).max(4000).default(1000),
  }),
  audio: z.strictObject({
    codec: z.literal('aac'),
    sampleRate: z.union([z.literal(44_100), z.literal(48_000)]).default(48_000),
    channels: z.union([z.literal(1), z.literal(2), z.literal(6)]).default(2),
    bitrateKbps: z.int().min(32).max(640),
    loudnessLufs: z
      .number()
      .min(-40)
      .max(-10)
      .nullable()
      .optional()
      .describe(
        'The loudness that recordings are brought to, in LUFS (EBU R 128), each by one gain for all of it; null or nothing: they are aired as they are',
      ),
  }),
});

export type ProfileSpec = z.infer<typeof profileSpecSchema>;

/** The profiles that a new server has. */
export const shippedProfiles: readonly { name: string; spec: ProfileSpec }[] = [
  { name: '1080p', spec: profile(1920, 1080, 6000, 192) },
  { name: '720p', spec: profile(1280, 720, 3000, 160) },
  { name: '480p', spec: profile(854, 480, 1400, 128) },
];

function profile(width: number, height: number, videoKbps: number, audioKbps: number): ProfileSpec {
  return {
    video: {
      codec: 'h264',
      width,
      height,
      frameRate: { num: 30, den: 1 },
      bitrateKbps: videoKbps,
      preset: 'veryfast',
      keyframeMs: 1000,
    },
    audio: {
      codec: 'aac',
      sampleRate: 48_000,
      channels: 2,
      bitrateKbps: audioKbps,
      // EBU R 128: that of European broadcasters, and with room for the peaks of films.
      loudnessLufs: -23,
    },
  };
}
