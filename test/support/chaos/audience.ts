import http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Chaos } from './context.ts';
import { plantedSecrets } from './station.ts';
import { Watcher } from './watcher.ts';

const gapLimitMs = 1_000;
/** Two frames of 40 ms, and what is lost by rounding. */
const longestStepMs = 81;
const mostVisitors = 8;
const mostStalled = 3;

/** People who come and go: some watch, some give up before there is a picture, some stop reading. */
export class Audience {
  private readonly visitors = new Set<Watcher>();
  private readonly stalled = new Set<http.ClientRequest>();

  constructor(private readonly chaos: Chaos) {}

  /** Until the run is over. */
  async comeAndGo(pauseMs: [number, number]): Promise<void> {
    const { over, log } = this.chaos;
    const random = this.chaos.random.for('audience');
    while (!over.aborted) {
      const channel = random.pick(this.chaos.station.channels);
      const choice = random.next();
      if (choice < 0.6 && this.visitors.size < mostVisitors) {
        log.did('tune');
        void this.visit(`${channel.url}?token=${plantedSecrets.token}`, random.between(500, 15_000));
      } else if (choice < 0.85) {
        log.did('aborted tune');
        void this.giveUp(channel.url, random.between(0, 60));
      } else if (this.stalled.size < mostStalled) {
        log.did('stalled viewer');
        void this.stall(channel.url, random.between(15_000, 40_000));
      }
      await delay(random.between(...pauseMs));
    }
  }

  leave(): void {
    for (const visitor of [...this.visitors]) visitor.leave();
    for (const request of [...this.stalled]) request.destroy();
  }

  private async visit(url: string, staysMs: number): Promise<void> {
    const { log, lag } = this.chaos;
    const visitor = new Watcher(url, { lag });
    this.visitors.add(visitor);
    await Promise.race([visitor.over, delay(staysMs)]);
    visitor.leave();
    this.visitors.delete(visitor);
    if (visitor.status !== undefined) log.answered(visitor.status, 'a tune');
    for (const fault of faultsOf(visitor, log.startedAt))
      log.fault(`a visitor of ${new URL(url).pathname}: ${fault}`);
  }

  private async giveUp(url: string, afterMs: number): Promise<void> {
    const request = http.get(url, { agent: false }, (response) => {
      response.on('error', () => {});
      response.resume();
    });
    request.on('error', () => {});
    await delay(afterMs);
    request.destroy();
  }

  /** Takes a little and then nothing any more, until it is closed or leaves. */
  private async stall(url: string, staysMs: number): Promise<void> {
    const request = http.get(url, { agent: false }, (response) => {
      response.on('error', () => {});
      response.once('data', () => response.pause());
    });
    this.stalled.add(request);
    request.on('error', () => {});
    await Promise.race([new Promise((resolve) => request.once('close', resolve)), delay(staysMs)]);
    request.destroy();
    this.stalled.delete(request);
  }
}

/**
 * What a viewer who reads as fast as it can would complain about.
 *
 * @param startedAt of the run: what is said to have been when counts from there
 */
export function faultsOf(watcher: Watcher, startedAt: number): string[] {
  const figures = watcher.figures();
  const when = (at: number) => `${((at - startedAt) / 1000).toFixed(1)} s`;
  const found: string[] = [];
  if (['ended', 'broken'].includes(watcher.state)) found.push(`it was disconnected (${watcher.state})`);
  if (watcher.state === 'refused' && watcher.status !== 503) found.push(`the answer was ${watcher.status}`);
  if (watcher.status === 503 && !(Number(watcher.retryAfter) > 0)) found.push('a 503 without Retry-After');
  if (figures.worstGapMs > gapLimitMs) {
    found.push(`${figures.worstGapMs} ms without a byte until ${when(figures.worstGapAt)}`);
  }
  if (figures.syncLosses > 0) found.push(`${figures.syncLosses} losses of sync`);
  if (figures.continuityErrors > 0) found.push(`${figures.continuityErrors} continuity errors`);
  if (figures.discontinuities > 0) found.push(`${figures.discontinuities} discontinuity flags`);
  if (figures.stepsBack > 0) found.push(`${figures.stepsBack} steps back of a decoding time`);
  if (figures.longestStepMs > longestStepMs) {
    found.push(`a step of ${figures.longestStepMs} ms at ${when(figures.longestStepAt)}`);
  }
  return found;
}
