import { shippedProfiles } from '../../src/ffmpeg/profile.ts';
import type { GuideChannel } from '../../src/guide/guide-channel.ts';
import {
  foldProgrammes,
  type GuideMedia,
  type GuideRow,
  type GuideWindow,
} from '../../src/guide/programmes.ts';
import { documentHead, documentTail, programmeElement } from '../../src/guide/xmltv.ts';

export const minute = 60_000;
export const hour = 60 * minute;
/** 2026-01-05T18:00:00Z: a multiple of six hours. */
export const evening = Date.UTC(2026, 0, 5, 18);

export function channel(given: Partial<GuideChannel> = {}): GuideChannel {
  return {
    id: '0b5f3c1e-9f43-4d5e-8a52-6a0d8b6f7c11',
    number: '5',
    name: 'Sitcoms',
    group: '',
    logoUrl: undefined,
    guideId: 'C5.53.x.example.org',
    enabled: true,
    profile: { spec: shippedProfiles[1]!.spec },
    ...given,
  };
}

export function media(given: Partial<GuideMedia> = {}): GuideMedia {
  return {
    id: 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee',
    kind: 'other',
    title: 'A Title',
    show: null,
    season: null,
    episode: null,
    year: null,
    aired: null,
    plot: null,
    genres: [],
    rating: null,
    credits: null,
    artwork: null,
    path: 'folder/a-file.mkv',
    addedAt: 0,
    ...given,
  };
}

export function row(startsAt: number, endsAt: number, given: Partial<GuideRow> = {}): GuideRow {
  return {
    startsAt,
    endsAt,
    kind: 'program',
    guide: 1,
    slot: null,
    inMs: 0,
    outMs: endsAt - startsAt,
    media: media(),
    ...given,
  };
}

export function guideWindow(now: number, hours = 48): GuideWindow {
  return { now, from: now - 2 * hour, to: now + hours * hour };
}

export const written = {
  language: 'en',
  base: 'http://tv.example.org',
  newDays: 0,
  episodeIcon: 'still' as 'poster' | 'still',
};

/** The whole document of channels and their rows. */
export function documentOf(
  lineup: readonly (readonly [GuideChannel, readonly GuideRow[]])[],
  window: GuideWindow,
  options: Partial<typeof written & { titles: ReadonlyMap<string, string> }> = {},
): string {
  const programmes = lineup.flatMap(([each, rows]) =>
    foldProgrammes(rows, window, options.titles).map((programme) =>
      programmeElement(each, programme, { ...written, ...options }),
    ),
  );
  return documentHead(lineup.map(([each]) => each)) + programmes.join('') + documentTail;
}
