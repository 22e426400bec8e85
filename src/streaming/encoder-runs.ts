import type { ExitReason } from './encoder-process.ts';

/** One encoder that ran or runs, as a bug report wants it. */
export interface EncoderRun {
  itemId: number;
  mediaId: string;
  path: string;
  args: readonly string[];
  pid: number | undefined;
  /** Epoch milliseconds. */
  startedAt: number;
  endedAt?: number;
  exit?: ExitReason;
  /** The end of what it said. */
  stderr: string;
}

const runsKept = 20;
const channelsKept = 1_000;

/** Remembers the last encoders of each channel, also while the channel is off the air. */
export class EncoderRuns {
  private readonly runs = new Map<string, EncoderRun[]>();

  add(channelId: string, run: EncoderRun): void {
    const runs = this.runs.get(channelId) ?? [];
    // What ran last is forgotten last.
    this.runs.delete(channelId);
    this.runs.set(channelId, [...runs.slice(1 - runsKept), run]);
    const [oldest] = this.runs.keys();
    if (this.runs.size > channelsKept && oldest !== undefined) this.runs.delete(oldest);
  }

  /** The latest last. */
  of(channelId: string): readonly EncoderRun[] {
    return this.runs.get(channelId) ?? [];
  }
}
