import { describe, expect, it } from 'vitest';
import { shippedProfiles } from '../../src/ffmpeg/profile.ts';
import type { TimelineItem, TimelineMedia } from '../../src/playout/timeline.ts';
import { SteadyGain } from '../../src/streaming/steady-gain.ts';

const profile = shippedProfiles[0]!.spec;

function recording(id: string): TimelineMedia {
  const probe = { format: 'matroska', durationMs: 100_000, chaptersMs: [] };
  return { id, absolutePath: `/${id}`, probe, durationMs: 100_000, title: id };
}

function item(media: TimelineMedia | undefined, startsAt: number, inMs: number, outMs: number): TimelineItem {
  const base = { id: startsAt, startsAt, endsAt: startsAt + outMs - inMs, inMs, outMs };
  return media === undefined ? { ...base, kind: 'offline' } : { ...base, kind: 'program', media };
}

/** The measurement comes in. */
function measure(media: TimelineMedia): void {
  media.loudness = { kind: 'measured', lufs: -13, truePeakDb: -3, at: 0 };
}

describe('the gain of an item', () => {
  it('is that of its recording, and none where nothing is on', () => {
    const gain = new SteadyGain(profile);
    const media = recording('a');
    measure(media);
    expect(gain.of(item(media, 0, 0, 100_000))).toBe(-10);
    expect(gain.of(item(undefined, 100_000, 0, 50_000))).toBe(0);
  });

  it('stays through all its encoders, and changes with its next airing', () => {
    const gain = new SteadyGain(profile);
    const media = recording('a');
    const other = recording('b');
    const first = item(media, 0, 0, 100_000);
    expect(gain.of(first)).toBe(0);
    measure(media);
    gain.of(item(other, 100_000, 0, 100_000));
    expect(gain.of({ ...first, id: 99 })).toBe(0);
    expect(gain.of(item(media, 200_000, 0, 100_000))).toBe(-10);
  });

  it('stays through the pieces of a recording that filler interrupts', () => {
    const gain = new SteadyGain(profile);
    const media = recording('a');
    const filler = recording('f');
    const pieces = [
      item(media, 0, 0, 40_000),
      item(media, 50_000, 40_000, 70_000),
      item(media, 90_000, 70_000, 100_000),
    ];
    expect(gain.of(pieces[0]!)).toBe(0);
    measure(media);
    measure(filler);
    expect(gain.of(item(filler, 40_000, 0, 10_000))).toBe(-10);
    expect(gain.of(pieces[1]!)).toBe(0);
    // The piece before may need another encoder once the next one is made ready.
    expect(gain.of(pieces[0]!)).toBe(0);
    expect(gain.of(pieces[2]!)).toBe(0);
    // Somebody who tunes in amid it has heard nothing yet.
    expect(new SteadyGain(profile).of(pieces[2]!)).toBe(-10);
  });

  it('is not kept for ever', () => {
    const gain = new SteadyGain(profile);
    const media = recording('a');
    const first = item(media, 0, 0, 40_000);
    gain.of(first);
    measure(media);
    for (let n = 1; n <= 100; n++) gain.of(item(recording(`f${n}`), n * 100_000, 0, 100_000));
    expect(gain.of(first)).toBe(-10);
  });
});
