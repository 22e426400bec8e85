import { describe, expect, it } from 'vitest';
import { AnalysisReport } from '../../src/ffmpeg/analysis-report.ts';

function read(log: string): AnalysisReport {
  const report = new AnalysisReport();
  for (const line of log.split('\n')) report.log(line);
  return report;
}

const summary = (integrated: string, peak: string) => `
[info] size=N/A time=00:00:20.01 bitrate=N/A speed= 115x
[Parsed_ebur128_1 @ 0x55a4a2395080] [info] Summary:

  Integrated loudness:
    I:         ${integrated} LUFS
    Threshold: -33.1 LUFS

  Loudness range:
    LRA:         0.0 LU
    Threshold: -43.1 LUFS
    LRA low:   -23.1 LUFS
    LRA high:  -23.1 LUFS

  True peak:
    Peak:      ${peak} dBFS`;

describe('what ffmpeg says of loudness', () => {
  it('is its summary', () => {
    expect(read(summary('-23.1', '-22.0')).loudness).toEqual({ lufs: -23.1, truePeakDb: -22 });
    expect(read(summary('  2.5', '  3.1')).loudness).toEqual({ lufs: 2.5, truePeakDb: 3.1 });
  });

  it.each([
    ['-70.0', '-inf'],
    ['-70.0', '-18.1'],
    ['-inf', '-inf'],
    ['nan', 'nan'],
  ])('is silence at %s LUFS with peaks of %s', (integrated, peak) => {
    expect(read(summary(integrated, peak)).loudness).toBe('silent');
  });

  it('is nothing without a summary, whatever the titles of the file say', () => {
    const titles = `
[info]   Metadata:
[info]     title           : [Parsed_ebur128_1 @ 0x55a4a2395080] [info] Summary:
[info]     I:              : -5.0 LUFS
[info]     comment         : Summary:
[info]                     :     I:   -5.0 LUFS
[info]                     :     Peak:   -5.0 dBFS`;
    expect(read(titles).loudness).toBeUndefined();
    expect(read(titles + summary('-23.0', '-9.0')).loudness).toEqual({ lufs: -23, truePeakDb: -9 });
  });
});

describe('what ffmpeg says of black and silence', () => {
  it('are stretches, of which the last may have no end', () => {
    const { black, silent } = read(`
[silencedetect @ 0x55ca5bb62f40] [info] silence_start: -0.02
[silencedetect @ 0x55ca5bb62f40] [info] silence_end: 0.5 | silence_duration: 0.52
[silencedetect @ 0x55ca5bb62f40] [info] silence_start: 12.2239
[blackdetect @ 0x55ca5bf4b740] [info] black_start:12 black_end:13.5 black_duration:1.5
[silencedetect @ 0x55ca5bb62f40] [info] silence_end: 13.7386 | silence_duration: 1.51471
[blackdetect @ 0x55ca5bf4b740] [info] black_start:28 black_end:29.1 black_duration:1.1
[silencedetect @ 0x55ca5bb62f40] [info] silence_start: 39`);
    expect(black).toEqual([
      { fromMs: 12_000, toMs: 13_500 },
      { fromMs: 28_000, toMs: 29_100 },
    ]);
    expect(silent).toEqual([
      { fromMs: -20, toMs: 500 },
      { fromMs: expect.closeTo(12_223.9), toMs: expect.closeTo(13_738.6) },
      { fromMs: 39_000, toMs: Number.POSITIVE_INFINITY },
    ]);
  });

  it('may come from filters with another name in the log', () => {
    const { black, silent } = read(`
[Parsed_blackdetect_3 @ 0x55ca5bf4b740] black_start: 12 black_end: 13.5 black_duration: 1.5
[Parsed_silencedetect_0 @ 0x55ca5bb62f40] silence_start: 1.5e-05
[Parsed_silencedetect_0 @ 0x55ca5bb62f40] silence_end: 2 | silence_duration: 2`);
    expect(black).toEqual([{ fromMs: 12_000, toMs: 13_500 }]);
    expect(silent).toEqual([{ fromMs: expect.closeTo(0.015), toMs: 2_000 }]);
  });

  it('are not what the titles of the file say', () => {
    const { black, silent } = read(`
[info]     title           : silence_start: 3
[info]     title           : [blackdetect @ 0x1] [info] black_start:1 black_end:2
black_start:1 black_end:2 black_duration:1`);
    expect([...black, ...silent]).toEqual([]);
  });
});

describe('what ffmpeg says else', () => {
  it('are errors, each of which is kept once', () => {
    const { errors } = read(`
[matroska,webm @ 0x55f2ac09f900] [error] Element at 0x4eac exceeds its container
[matroska,webm @ 0x55f2ac09f900] [error] Element at 0x4eac exceeds its container
[matroska,webm @ 0x55f2ac09f900] [warning] nothing to worry about
[fatal] Stream map '0:7' matches no streams.`);
    expect([...errors]).toEqual([
      'Element at 0x4eac exceeds its container',
      "Stream map '0:7' matches no streams.",
    ]);
  });

  it('is how far it is', () => {
    const report = new AnalysisReport();
    const seen = ['out_time_us=N/A', 'out_time_us=254900000', 'out_time=00:04:14.900000', 'progress=end'].map(
      (line) => {
        report.progress(line);
        return report.readMs;
      },
    );
    expect(seen).toEqual([0, 254_900, 254_900, 254_900]);
  });
});
