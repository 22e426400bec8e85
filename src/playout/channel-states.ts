import type { FullChannel } from '../db/channels.ts';
import { compareChannelNumbers } from '../guide/channel-number.ts';
import type { EpochMs, PlanProblem } from '../schedule/types.ts';
import type { LineupChannel } from './lineup.ts';

export interface PlayoutStatus {
  /** `no_content`: there is nothing but being offline ahead. `planning`: there is no timeline yet. */
  status: 'ok' | 'no_content' | 'planning';
  /** How far the timeline reaches; undefined before the first plan. */
  horizonEndsAt: EpochMs | undefined;
  problems: PlanProblem[];
}

/** A channel, and what is known of its timeline. */
export interface ChannelState extends PlayoutStatus {
  channel: FullChannel;
  /** Planned since the start: the problems are known. */
  checked: boolean;
  /** It has been its turn since the start, whether that went well or not. */
  tried: boolean;
  /**
   * The edition of media and collections that the timeline was last compared with. Undefined when it has to be
   * compared again for another reason: after a start, or because it could not be planned.
   */
  edition: number | undefined;
  /** What it plays changes as time goes by, though nobody changes anything. */
  byTime: boolean;
  /** It has come with libraries that are being scanned: it is not planned from half of them. */
  waits: boolean;
}

/** All channels, by id and number, and those of them that are enabled. */
export class ChannelStates {
  readonly #byId = new Map<string, ChannelState>();
  #byNumber = new Map<string, ChannelState>();
  #lineup: readonly LineupChannel[] = [];

  /** The enabled channels, in the order of their numbers. A list that has changed is another list. */
  get lineup(): readonly LineupChannel[] {
    return this.#lineup;
  }

  get size(): number {
    return this.#byId.size;
  }

  ids(): string[] {
    return [...this.#byId.keys()];
  }

  all(): ChannelState[] {
    return [...this.#byId.values()];
  }

  get(id: string): ChannelState | undefined {
    return this.#byId.get(id);
  }

  find(idOrNumber: string): ChannelState | undefined {
    return this.#byId.get(idOrNumber) ?? this.#byNumber.get(idOrNumber);
  }

  /** Adds a channel, or describes it anew. */
  set(...channels: readonly FullChannel[]): void {
    for (const channel of channels) {
      const { id } = channel.lineup;
      const old = this.#byId.get(id);
      if (old === undefined) this.#byId.set(id, stateOf(channel));
      else old.channel = channel;
    }
    this.#arrange();
  }

  remove(id: string): boolean {
    const removed = this.#byId.delete(id);
    this.#arrange();
    return removed;
  }

  #arrange(): void {
    const states = this.all().sort((a, b) =>
      compareChannelNumbers(a.channel.lineup.number, b.channel.lineup.number),
    );
    this.#lineup = states.map(({ channel }) => channel.lineup).filter(({ enabled }) => enabled);
    this.#byNumber = new Map(states.map((state) => [state.channel.lineup.number, state]));
  }
}

function stateOf(channel: FullChannel): ChannelState {
  return {
    ...{ channel, status: 'planning', horizonEndsAt: undefined, problems: [] },
    ...{ checked: false, tried: false, edition: undefined, byTime: false, waits: false },
  };
}
