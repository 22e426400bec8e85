import { z } from 'zod';

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
export const collectionQuerySchema = z.strictObject({
  library: z.uuid().optional(),
  /** Media below this folder, relative to the library. */
  folder: z.string().min(1).optional(),
  kind: z.enum(['movie', 'episode', 'other']).optional(),
  show: z.string().min(1).optional(),
  season: z.int().min(0).max(100_000).optional(),
  genre: z.string().min(1).optional(),
  yearFrom: z.int().min(0).max(9_999).optional(),
  yearTo: z.int().min(0).max(9_999).optional(),
  /** Part of the title, without regard to case. */
  text: z.string().min(1).optional(),
});

export type CollectionQuery = z.infer<typeof collectionQuerySchema>;
