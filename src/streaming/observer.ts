import type { ViewerEnd } from './viewer.ts';

/** Why an encoder is started in the place of another one. */
export type RestartCause =
  /** The item failed and is tried again inside its slot. */
  | 'retry'
  /** An encoder that had worked for a while is gone; another one takes over at once. */
  | 'takeover'
  /** The one trial of a breaker that is half open. */
  | 'trial'
  /** The health task found a channel without output. */
  | 'health'
  /** It had run for longer than an encoder may. */
  | 'age';

export type RestartRefusal = 'breaker-open' | 'too-soon' | 'throttled';

export type SpawnRefusal = 'pool-full' | 'memory' | 'file-descriptors' | 'stopping';

export type BreakerState = 'closed' | 'open' | 'half-open';

/** Hears of what happens on the streaming side, as it happens. Must be quick, and must not throw. */
export interface StreamingObserver {
  encoderSpawned(): void;
  /** `released`: ended by the server itself, because it was not needed any more. */
  encoderEnded(how: 'finished' | 'released' | 'killed' | 'failed'): void;
  spawnRefused(reason: SpawnRefusal): void;
  restarted(cause: RestartCause): void;
  restartRefused(reason: RestartRefusal): void;
  breakerChanged(channelNumber: string, state: BreakerState): void;
  /** One item has followed another; `slateMs` is how long the slate stood between them. */
  joint(slateMs: number): void;
  /** From a viewer's request to the first byte that it was sent. */
  firstByte(tune: 'cold' | 'warm', ms: number): void;
  /** From a viewer's request to the first picture of the programme that it was sent. */
  firstPicture(tune: 'cold' | 'warm', ms: number): void;
  viewerSkipped(): void;
  viewerClosed(reason: ViewerEnd): void;
}

/** For where nobody listens. */
export const nobody: StreamingObserver = {
  encoderSpawned() {},
  encoderEnded() {},
  spawnRefused() {},
  restarted() {},
  restartRefused() {},
  breakerChanged() {},
  joint() {},
  firstByte() {},
  firstPicture() {},
  viewerSkipped() {},
  viewerClosed() {},
};
