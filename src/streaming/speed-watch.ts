interface Sample {
  /** Monotonic milliseconds. */
  at: number;
  outTimeMs: number;
}

const windowMs = 15_000;

/**
 * Says whether an encoder is slower than the clock. ffmpeg's own figure will not do: it averages over the
 * whole run, and an encoder that was held back, because nobody needed more yet, looks slow in it. So only
 * an encoder that was free to run for the whole time is judged, by how far it came.
 */
export class SpeedWatch {
  private samples: Sample[] = [];
  /** The speed, when it has been below 1 for 15 s. */
  slow: number | undefined;

  /** To be called often. */
  look(now: { at: number; outTimeMs: number | undefined; held: boolean }): void {
    if (now.held) {
      this.reset();
      return;
    }
    const { at, outTimeMs } = now;
    if (outTimeMs === undefined || outTimeMs === this.samples.at(-1)?.outTimeMs) return;
    this.samples.push({ at, outTimeMs });
    while (this.samples[1] !== undefined && at - this.samples[1].at >= windowMs) this.samples.shift();
    const [first] = this.samples;
    if (first === undefined || at - first.at < windowMs) return;
    const speed = (outTimeMs - first.outTimeMs) / (at - first.at);
    this.slow = speed < 1 ? speed : undefined;
  }

  reset(): void {
    this.samples = [];
    this.slow = undefined;
  }
}
