import type { AccessUnit } from '../mpegts/access-unit.ts';
import { samplesPerFrame } from '../mpegts/adts.ts';
import { ticksPerSecond } from '../mpegts/clock.ts';
import type { Slate } from './slate.ts';
import type { Source } from './source.ts';

/** The slate over and over, from time zero, for as long as somebody asks. */
export class SlateSource implements Source {
  private pictures = 0;
  private sounds = 0;
  private ahead: AccessUnit | undefined;

  constructor(
    readonly slate: Slate,
    private readonly format: { frameTicks: number; audioRate: number },
  ) {}

  peek(): AccessUnit {
    this.ahead ??= this.make();
    return this.ahead;
  }

  shift(): AccessUnit {
    const unit = this.peek();
    this.ahead = undefined;
    return unit;
  }

  private make(): AccessUnit {
    const { video, audio } = this.slate;
    const pictureAt = Math.round(this.pictures * this.format.frameTicks);
    const soundAt = Math.round((this.sounds * samplesPerFrame * ticksPerSecond) / this.format.audioRate);
    if (pictureAt <= soundAt) {
      const unit = video[this.pictures % video.length] as AccessUnit;
      this.pictures++;
      return { ...unit, pts: pictureAt, dts: pictureAt };
    }
    const unit = audio[this.sounds % audio.length] as AccessUnit;
    this.sounds++;
    return { ...unit, pts: soundAt, dts: soundAt };
  }
}
