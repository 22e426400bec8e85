import type { Loudness } from '../library/analysis.ts';
import type { ProfileSpec } from './profile.ts';

/** No peak comes nearer to full scale: the encoder adds some of its own (EBU R 128, maximum true peak level). */
const highestPeakDb = -1;
const leastGainDb = -20;
const mostGainDb = 12;
/** Nobody hears less, and sound that is not changed can be copied. */
const noticeableDb = 0.5;

/**
 * How much louder a recording is to be aired, in dB, so that it comes to the profile's loudness: one value for all
 * of it, so its own dynamics stay. 0 for what is not measured or has no sound, and where the profile has no target.
 */
export function gainFor(loudness: Loudness | undefined, { audio }: ProfileSpec): number {
  if (loudness?.kind !== 'measured' || audio.loudnessLufs == null) return 0;
  const { lufs, truePeakDb } = loudness;
  const wanted = Math.min(audio.loudnessLufs - lufs, highestPeakDb - truePeakDb, mostGainDb);
  const gainDb = Math.round(Math.max(wanted, leastGainDb) * 10) / 10;
  return Math.abs(gainDb) < noticeableDb ? 0 : gainDb;
}
