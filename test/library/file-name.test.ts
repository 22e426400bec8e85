import { describe, expect, test } from 'vitest';
import { parseFileName } from '../../src/library/file-name.ts';
import type { MediaMetadata } from '../../src/library/metadata.ts';

function episode(show: string | undefined, season: number | undefined, number: number, title?: string) {
  return {
    kind: 'episode',
    title: title ?? `Episode ${number}`,
    ...(show !== undefined && { show }),
    ...(season !== undefined && { season }),
    episode: number,
  } as MediaMetadata;
}

const movie = (title: string, year: number): MediaMetadata => ({ kind: 'movie', title, year });
const other = (title: string): MediaMetadata => ({ kind: 'other', title });
const dated = (show: string, aired: string, title = aired): MediaMetadata => ({
  kind: 'episode',
  show,
  aired,
  title,
});

const names: Record<string, MediaMetadata> = {
  'Show Name/Season 02/Show Name - S02E05 - Title.mkv': episode('Show Name', 2, 5, 'Title'),
  'Show.Name.S01E02.720p.HDTV.x264-GRP.mkv': episode('Show Name', 1, 2),
  'Show Name 1x02 Something.avi': episode('Show Name', 1, 2, 'Something'),
  'Star Trek - The Next Generation - 1x01-02 - Encounter.mkv': episode(
    'Star Trek - The Next Generation',
    1,
    1,
    'Encounter',
  ),
  'Show S01E01E02.mkv': episode('Show', 1, 1),
  'Show S01E01-E03 Three.mkv': episode('Show', 1, 1, 'Three'),
  'Show - s01e01-e02 - Both.mkv': episode('Show', 1, 1, 'Both'),
  'Show.S01.E02.Title.mkv': episode('Show', 1, 2, 'Title'),
  'show s01 e02.mkv': episode('show', 1, 2),
  'Show - S2021E05.mkv': episode('Show', 2021, 5),
  'Show S01E01-720p.mkv': episode('Show', 1, 1),
  'Show S10E100.mkv': episode('Show', 10, 100),
  'The 100 S01E02.mkv': episode('The 100', 1, 2),
  '24 - 1x05 - Title.mkv': episode('24', 1, 5, 'Title'),
  'The Wire/Season 1/S01E02.mkv': episode('The Wire', 1, 2),
  'the wire/Season 1/The.Wire.S01E03.The.Buys.mkv': episode('the wire', 1, 3, 'The Buys'),
  'S.W.A.T.S01E03.WEB.mkv': episode('S.W.A.T', 1, 3),
  'M.A.S.H.S02E01.Divided.We.Stand.mkv': episode('M.A.S.H', 2, 1, 'Divided We Stand'),
  'Mr. Robot - s02e03 - eps2.1_k3rnel-pan1c.ksd.mkv': episode('Mr. Robot', 2, 3, 'eps2.1 k3rnel-pan1c.ksd'),
  'The.Office.US.S03E01.Gay.Witch.Hunt.1080p.AMZN.WEB-DL.mkv': episode(
    'The Office US',
    3,
    1,
    'Gay Witch Hunt',
  ),
  'Doctor Who (2005)/Specials/Doctor Who (2005) - S00E01 - Special.mkv': episode(
    'Doctor Who (2005)',
    0,
    1,
    'Special',
  ),
  'Doctor Who (2005)/Season 00/S00E02.mkv': episode('Doctor Who (2005)', 0, 2),
  'Dark/Staffel 2/05 - Vom Suchen.mkv': episode('Dark', 2, 5, 'Vom Suchen'),
  'Dark/Season 1/Dark - 03 - Gestern.mkv': episode('Dark', 1, 3, 'Gestern'),
  'Dark/S03/07.mkv': episode('Dark', 3, 7),
  'News/Episode 7.mkv': episode('News', undefined, 7),
  'Season 1 Episode 4.mkv': episode(undefined, 1, 4),
  'E05.mkv': episode(undefined, undefined, 5),
  '[Group] Cowboy Bebop - 05 [1080p].mkv': episode('Cowboy Bebop', undefined, 5),
  'Show 2021-03-04.ts': dated('Show', '2021-03-04'),
  'Show.Name.2021.03.04.720p.HDTV.mkv': dated('Show Name', '2021-03-04'),
  'The.Late.Show.2021.03.04.Guest.Name.WEB.h264.mkv': dated('The Late Show', '2021-03-04', 'Guest Name'),
  'tatort_2021.03.04_Mord.ts': dated('tatort', '2021-03-04', 'Mord'),
  'Show/Season 2021/2021-03-04.mkv': dated('Show', '2021-03-04'),
  '2019-07-12.mp4': { kind: 'other', title: '2019-07-12', aired: '2019-07-12' },
  'Show 2021-13-45.mkv': other('Show 2021-13-45'),
  'Movie (2020)/Movie (2020).mp4': movie('Movie', 2020),
  'Movie (2020)/movie.mkv': movie('Movie', 2020),
  'Movie.2020.1080p.BluRay.x264-GRP.mkv': movie('Movie', 2020),
  'Mission.Impossible.1996.mkv': movie('Mission Impossible', 1996),
  '2001.A.Space.Odyssey.1968.1080p.mkv': movie('2001 A Space Odyssey', 1968),
  '2012.2009.720p.mkv': movie('2012', 2009),
  '1917 (2019).mkv': movie('1917', 2019),
  'Blade Runner 2049 (2017).mkv': movie('Blade Runner 2049', 2017),
  'Movie.Name.2010.German.DL.1080p.mkv': movie('Movie Name', 2010),
  'Dune (2021) {edition-IMAX} [1080p].mkv': movie('Dune', 2021),
  'Apollo 13 (1995).mkv': movie('Apollo 13', 1995),
  "Ocean's Eleven (2001)/Ocean's.Eleven.2001.BluRay.mkv": movie("Ocean's Eleven", 2001),
  'Blade Runner 2049.mkv': other('Blade Runner 2049'),
  '2012.mkv': other('2012'),
  'Euro 2020 Final.mkv': other('Euro 2020 Final'),
  'Holiday (2020)/clip1.mp4': other('clip1'),
  'clip.mp4': other('clip'),
  'some_clip_name.mp4': other('some clip name'),
  'video 1920x1080.mp4': other('video 1920x1080'),
  'Dune (2021)-trailer.mp4': other('Dune (2021)-trailer'),
  '-rf.mkv': other('rf'),
  '1080p.mkv': other('1080p'),
  '🎬 Party.mkv': other('🎬 Party'),
  '"quoted"; rm -rf.mkv': other('"quoted"; rm -rf'),
  '---.mkv': other('---'),
  '[tag].mkv': other('[tag]'),
};

describe('a file name', () => {
  test.each(Object.entries(names))('%s', (path, metadata) => {
    expect(parseFileName(path)).toEqual(metadata);
  });

  test('takes no time, however long and odd it is', () => {
    const odd = [
      `${'S01E'.repeat(60)}.mkv`,
      `${'- 1x'.repeat(60)}.mkv`,
      `${'['.repeat(200)}.mkv`,
      `${'a.B.'.repeat(60)}.mkv`,
      `[${'g'.repeat(100)}]${' - '.repeat(50)}.mkv`,
      `S1E1${'-1'.repeat(120)}x.mkv`,
    ];
    const start = performance.now();
    for (const name of odd) expect(parseFileName(name).title).not.toBe('');
    expect(performance.now() - start).toBeLessThan(50);
  });
});
