import type { ScanCounts } from './scan.ts';

export interface ScanProgress extends ScanCounts {
  libraryId: string;
  state: 'idle' | 'waiting' | 'walking' | 'probing' | 'done' | 'failed';
  startedAt?: number;
  finishedAt?: number;
  /** Why it failed, for a person. */
  error?: string;
  /** The file that was last begun. */
  current?: string;
}

export type ProgressListener = (progress: ScanProgress) => void;

export function idleProgress(libraryId: string): ScanProgress {
  return {
    libraryId,
    state: 'idle',
    found: 0,
    unchanged: 0,
    total: 0,
    probed: 0,
    failed: 0,
    pending: 0,
    unavailable: 0,
  };
}

const everyMs = 100;

/** The progress of each library's last scan, told to listeners at most ten times a second for each library. */
export class ProgressBoard {
  private readonly boards = new Map<string, ScanProgress>();
  private readonly listeners = new Set<ProgressListener>();
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private readonly toldMs = new Map<string, number>();

  get(libraryId: string): ScanProgress | undefined {
    const progress = this.boards.get(libraryId);
    return progress && { ...progress };
  }

  set(progress: ScanProgress): void {
    this.boards.set(progress.libraryId, progress);
    this.tellSoon(progress.libraryId);
  }

  change(libraryId: string, change: Partial<ScanProgress>): void {
    const progress = this.boards.get(libraryId);
    if (progress) this.set({ ...progress, ...change });
  }

  remove(libraryId: string): void {
    this.boards.delete(libraryId);
    this.toldMs.delete(libraryId);
    clearTimeout(this.timers.get(libraryId));
    this.timers.delete(libraryId);
  }

  /** A listener must not throw. Returns what ends the subscription. */
  subscribe(listener: ProgressListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  close(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
    this.listeners.clear();
  }

  private tellSoon(libraryId: string): void {
    if (this.listeners.size === 0 || this.timers.has(libraryId)) return;
    const waitMs = (this.toldMs.get(libraryId) ?? Number.NEGATIVE_INFINITY) + everyMs - performance.now();
    if (waitMs <= 0) {
      this.tell(libraryId);
      return;
    }
    const timer = setTimeout(() => {
      this.timers.delete(libraryId);
      this.tell(libraryId);
    }, waitMs);
    this.timers.set(libraryId, timer.unref());
  }

  private tell(libraryId: string): void {
    const progress = this.get(libraryId);
    if (!progress) return;
    this.toldMs.set(libraryId, performance.now());
    for (const listener of this.listeners) listener(progress);
  }
}
