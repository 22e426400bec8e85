import { z } from 'zod';
import { durationText, isoDuration } from '../schedule/iso.ts';

const text = z.string().min(1).max(1_000);
const year = z.int().min(0).max(9_999);

/** What ffprobe said of a file, as far as this server needs it. */
export interface MediaProbe {
  /** ffprobe's format name: "matroska,webm". */
  format: string;
  durationMs: number;
  bitrateKbps?: number;
  video?: VideoStream;
  audio?: AudioStream;
  /** Starts of chapters, in milliseconds, without the one at zero. */
  chaptersMs: number[];
}

export interface VideoStream {
  /** ffprobe's stream index. */
  index: number;
  codec: string;
  /** ffprobe's profile name: "High", "Main 10". */
  profile?: string;
  width: number;
  height: number;
  /** Sample aspect ratio as num:den; 1:1 when unknown. */
  sampleAspect: { num: number; den: number };
  pixelFormat?: string;
  /** The picture track's own length, where the file says it. */
  durationMs?: number;
  /** Average and lowest common frame rate; they differ where the rate varies. */
  frameRate?: { num: number; den: number };
  lowestRate?: { num: number; den: number };
  interlaced: boolean;
  /** Pictures that may wait for a later one in decoding order (ffprobe's has_b_frames). */
  reorderDepth: number;
}

export interface AudioStream {
  index: number;
  codec: string;
  profile?: string;
  sampleRate: number;
  channels: number;
  layout?: string;
  language?: string;
}

/** A saved query over the library; every key that is given must match. */
export const collectionQuerySchema = queryOver(z.uuid());

export type CollectionQuery = z.infer<typeof collectionQuerySchema>;

/** @param library how a library is named: by its id here, by its name in a file */
export function queryOver<L extends z.ZodType<string>>(library: L) {
  return z
    .strictObject({
      library: library.optional(),
      /** Media below this folder, relative to the library. */
      folder: text.optional(),
      kind: z.enum(['movie', 'episode', 'other']).optional(),
      show: text.optional(),
      season: z.int().min(0).max(100_000).optional(),
      genre: text.optional(),
      yearFrom: year.optional(),
      yearTo: year.optional(),
      /** Part of the title, without regard to case. */
      text: text.optional(),
      /** Media that joined the library no longer ago than this, counted back from each plan. */
      addedWithin: durationText({ leastMs: 60_000 }).optional(),
      /** The shortest and the longest that match. */
      durationFrom: durationText({ leastMs: 0 }).optional(),
      durationTo: durationText({ leastMs: 0 }).optional(),
    })
    .superRefine(({ yearFrom, yearTo, durationFrom, durationTo }, context) => {
      const refuse = (key: string, message: string) =>
        context.addIssue({ code: 'custom', path: [key], message });
      if (yearFrom !== undefined && yearTo !== undefined && yearTo < yearFrom) {
        refuse('yearTo', 'is before yearFrom');
      }
      // What is no duration has been refused already, and this is called all the same.
      const [least, most] = [durationFrom, durationTo].map((text) => isoDuration.safeParse(text).data);
      if (least !== undefined && most !== undefined && most < least) {
        refuse('durationTo', 'is less than durationFrom');
      }
    });
}
