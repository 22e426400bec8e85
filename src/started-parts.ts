import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';

/** No phase of a stop may take longer; the next ones are to have their time too. */
const phaseMs = 8_000;

/** What has been started, to be stopped in reverse; a part that cannot stop does not keep the others from it. */
export class StartedParts {
  private readonly parts: { name: string; stop: () => Promise<void> | void }[] = [];
  private stopping: Promise<boolean> | undefined;

  constructor(private readonly log: Logger) {}

  add(name: string, stop: () => Promise<void> | void): void {
    this.parts.push({ name, stop });
  }

  /** Returns whether all went well. */
  stop(): Promise<boolean> {
    this.stopping ??= this.stopAll();
    return this.stopping;
  }

  private async stopAll(): Promise<boolean> {
    const startedAt = performance.now();
    let clean = true;
    for (const { name, stop } of this.parts.reverse()) {
      clean = (await this.stopOne(name, stop)) && clean;
    }
    this.log.info({ clean, tookMs: Math.round(performance.now() - startedAt) }, 'aircheck is off the air');
    return clean;
  }

  private async stopOne(phase: string, stop: () => Promise<void> | void): Promise<boolean> {
    const startedAt = performance.now();
    const tookMs = () => Math.round(performance.now() - startedAt);
    const late = new AbortController();
    try {
      const inTime = await Promise.race([
        Promise.resolve(stop()).then(() => true),
        delay(phaseMs, false, { signal: late.signal }),
      ]);
      if (inTime) this.log.info({ phase, tookMs: tookMs() }, 'stopped');
      else
        this.log.error({ phase, tookMs: tookMs() }, 'a part did not stop in time; the others go on stopping');
      return inTime;
    } catch (error) {
      this.log.error({ err: error, phase, tookMs: tookMs() }, 'a part did not stop as it should');
      return false;
    } finally {
      late.abort();
    }
  }
}
