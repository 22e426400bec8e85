import { gainFor } from '../ffmpeg/gain.ts';
import type { ProfileSpec } from '../ffmpeg/profile.ts';
import type { TimelineItem } from '../playout/timeline.ts';

/** More than the filler of any break. */
const mostKept = 64;

interface Given {
  mediaId: string;
  startsAt: number;
  outMs: number | undefined;
  gainDb: number;
}

/**
 * The gain of each item of a channel. It stays the same through all encoders of the item, and through all pieces of
 * a recording that filler interrupts, also when the recording is measured in between: loudness must not jump
 * within a programme.
 */
export class SteadyGain {
  private readonly given: Given[] = [];

  constructor(private readonly profile: ProfileSpec) {}

  /** In dB; 0 airs it as it is. */
  of({ media, startsAt, inMs = 0, outMs }: TimelineItem): number {
    if (media === undefined) return 0;
    const others = this.given.filter(({ mediaId }) => mediaId === media.id);
    const same = others.find((other) => other.startsAt === startsAt);
    if (same !== undefined) return same.gainDb;
    const before = inMs > 0 ? others.findLast((other) => other.outMs === inMs) : undefined;
    const gainDb = before?.gainDb ?? gainFor(media.loudness, this.profile);
    this.given.push({ mediaId: media.id, startsAt, outMs, gainDb });
    if (this.given.length > mostKept) this.given.shift();
    return gainDb;
  }
}
