import type { ApiClient } from './api-client.ts';
import type { Gate } from './gate.ts';
import type { CheapChannel } from './lineup.ts';
import type { Logbook } from './logbook.ts';
import type { OwnLag } from './own-lag.ts';
import type { Random } from './random.ts';
import type { Station } from './station.ts';
import type { Watcher } from './watcher.ts';

/** What everybody who takes part in a run shares. */
export interface Chaos {
  station: Station;
  api: ApiClient;
  log: Logbook;
  gate: Gate;
  lag: OwnLag;
  random: Random;
  /** Who watches a channel from the beginning to the end, by the channel's id. */
  watchers: Map<string, Watcher>;
  /** Items that begin before this (epoch milliseconds) may have been tried already while their files were away. */
  hurtUntil: number;
  /** Aborted when nothing new is to be begun. */
  over: AbortSignal;
}

/** A channel that somebody watches all the time. */
export function watchedChannels({ station, watchers }: Chaos): CheapChannel[] {
  return station.channels.filter(({ id }) => watchers.has(id));
}
