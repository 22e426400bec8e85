import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';
import type { EpochMs } from '../schedule/types.ts';

/** A scan notes when it began to look at a file, and stores that a while later. */
const marginMs = 120_000;

/** Finds out which channels show media that have changed: a title, a plot, a picture. */
export class MediaChanges {
  #seenAt: EpochMs;
  #due = false;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #stopped = false;

  constructor(
    private readonly deps: {
      /** The channels that show media which have changed since an instant. */
      showingChanged: (changedSince: EpochMs) => Promise<string[]>;
      onChannel: (channelId: string) => void;
      log: Logger;
      now: () => EpochMs;
      /** Media that change together are looked at together. */
      settleMs: number;
      retryMs: number;
    },
  ) {
    this.#seenAt = deps.now();
  }

  /** Something about some media may have changed. */
  noticed(): void {
    this.#due = true;
    this.#lookIn(this.deps.settleMs);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  #lookIn(delayMs: number): void {
    if (this.#stopped || this.#looking !== undefined) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#looking = this.#look().finally(() => {
        this.#looking = undefined;
        if (this.#due) this.#lookIn(this.deps.retryMs);
      });
    }, delayMs).unref();
  }

  async #look(): Promise<void> {
    const { showingChanged, onChannel, log, now } = this.deps;
    this.#due = false;
    const at = now();
    try {
      for (const id of await showingChanged(this.#seenAt - marginMs)) onChannel(id);
      this.#seenAt = at;
    } catch (error) {
      this.#due = true;
      log.warn({ reason: messageOf(error) }, 'changed media are not in the guide yet');
    }
  }
}
