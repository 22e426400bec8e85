import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { media } from '../../src/db/schema.ts';
import type { Loudness } from '../../src/library/analysis.ts';
import { planChannel } from '../../src/playout/plan-channel.ts';
import { TimelineWindows } from '../../src/playout/timeline-windows.ts';
import { databases, type TestDatabase } from '../support/databases.ts';
import { aChannel, aCollection, aLibrary, hour, minute, t0 } from './station.ts';

const loudness: Loudness = { kind: 'measured', lufs: -14, truePeakDb: -1, at: t0 };

describe.each(databases)('a media that has been measured ($name)', ({ open }) => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.stop());

  it('is so at once in what is about to be aired, and that is no change of the timeline', async () => {
    const { db } = database;
    const library = await aLibrary(db);
    const id = await library.file({ title: 'Film', durationMs: 30 * minute });
    const channel = await aChannel(db, await aCollection(db, [id]));
    await planChannel(db, { channelId: channel.id, now: t0, until: t0 + 3 * hour, freezeMs: 0 });
    const windows = new TimelineWindows({ db, now: () => t0 });
    expect(await windows.load(channel.id)).toBe(true);
    const loudnessOnAir = () => windows.items(channel.id).map((item) => item.media?.loudness);
    expect(new Set(loudnessOnAir())).toEqual(new Set([undefined]));

    const [stored] = await db
      .update(media)
      .set({ loudness })
      .where(eq(media.id, id))
      .returning({ loudness: media.loudness });
    windows.measured(id, stored!.loudness!);
    windows.measured('which is not on', loudness);
    expect(loudnessOnAir().length).toBeGreaterThan(3);
    for (const known of loudnessOnAir()) expect(known).toEqual(loudness);
    expect(await windows.load(channel.id, 'fresh')).toBe(false);
    expect(loudnessOnAir()[0]).toEqual(loudness);

    const later = new TimelineWindows({ db, now: () => t0 });
    await later.load(channel.id);
    expect(later.items(channel.id)[0]?.media?.loudness).toEqual(loudness);
  });
});
