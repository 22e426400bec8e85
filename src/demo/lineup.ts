import type { CollectionQuery } from '../library/media.ts';
import type { Schedule } from '../schedule/types.ts';

export interface DemoCollection {
  /** What the channels' slots name it by until it has an id. */
  key: string;
  name: string;
  /** Within the library of the sample recordings. */
  query: CollectionQuery;
}

export interface DemoChannel {
  number: string;
  name: string;
  group: string;
  /** Name of a shipped profile. */
  profile: '1080p' | '720p' | '480p';
  seed: number;
  /** `play` is a key of a collection. */
  schedule: Schedule;
}

/** What the demo puts on air from the sample recordings. */
export const demoLineup: { collections: readonly DemoCollection[]; channels: readonly DemoChannel[] } = {
  collections: [
    { key: 'everything', name: 'Demo: everything', query: {} },
    { key: 'shows', name: 'Demo: shows', query: { kind: 'episode' } },
    { key: 'movies', name: 'Demo: movies', query: { kind: 'movie' } },
  ],
  channels: [
    {
      number: '1',
      name: 'Mixed',
      group: 'Demo',
      profile: '720p',
      seed: 1,
      schedule: { slots: [{ id: 'all-day', play: 'everything', mode: 'flood', order: 'shuffle' }] },
    },
    {
      number: '2',
      name: 'Shows',
      group: 'Demo',
      profile: '480p',
      seed: 2,
      schedule: { slots: [{ id: 'all-day', play: 'shows', mode: 'flood', order: 'chronological' }] },
    },
    {
      number: '3',
      name: 'Movies',
      group: 'Demo',
      profile: '480p',
      seed: 3,
      schedule: {
        slots: [
          { id: 'double-feature', play: 'movies', mode: 'multiple', count: 2, order: 'shuffle' },
          { id: 'short', play: 'shows', mode: 'one', order: 'chronological' },
        ],
      },
    },
  ],
};

/** A demo channel's schedule with the ids of the collections in place of their keys. */
export function demoSchedule(channel: DemoChannel, ids: ReadonlyMap<string, string>): Schedule {
  return {
    ...channel.schedule,
    slots: channel.schedule.slots.map((slot) => {
      const id = ids.get(slot.play);
      if (id === undefined) throw new Error(`the demo's collection "${slot.play}" has no id`);
      return { ...slot, play: id };
    }),
  };
}
