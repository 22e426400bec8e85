import type { StreamStatus } from '../streaming/channel-manager.ts';

/** A channel on air, as anybody may see it: without pids. */
export type StreamView = Omit<StreamStatus, 'encoderPids'>;

export interface TaskView {
  name: string;
  runs: number;
  failures: number;
  lastDurationMs?: number;
  lastSucceededAt?: number;
}

/** Where the figures come from that are read when somebody asks for them. All answer from memory. */
export interface MetricSources {
  version: string;
  /** The enabled channels. */
  lineup(): readonly { id: string; number: string }[];
  /** How far a channel's timeline reaches, in epoch milliseconds; undefined when there is none. */
  horizonEndsAt(channelId: string): number | undefined;
  streams(): readonly StreamView[];
  /** What all viewers were ever sent. */
  bytesSent(): number;
  encoders(): { running: number; slotsUsed: number; slots: number };
  /** Processes that inspect media. */
  inspectors(): number;
  tasks(): readonly TaskView[];
  isReady(): boolean;
  checks(): Readonly<Record<string, { ok: boolean }>>;
}
