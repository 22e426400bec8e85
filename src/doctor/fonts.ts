import { existsSync } from 'node:fs';
import type { Config } from '../config.ts';
import { slateArguments } from '../ffmpeg/arguments.ts';
import { shippedProfiles } from '../ffmpeg/profile.ts';
import { slateFonts } from '../streaming/slate.ts';
import type { Check } from './check.ts';
import { lastLine, runFfmpeg } from './run-ffmpeg.ts';

/** Whether the slate can say something: a font, and an ffmpeg that draws with it. */
export function fontCheck({ path }: Config['ffmpeg'], fonts: readonly string[] = slateFonts): Check {
  const subject = 'font of the slate';
  return {
    subject,
    deadlineMs: 20_000,
    run: async (signal) => {
      const font = fonts.find((file) => existsSync(file));
      if (font === undefined) {
        return {
          subject,
          verdict: 'warning',
          found: 'none: the slate is a picture without words',
          remedy: `Install DejaVu Sans (Debian: apt-get install fonts-dejavu-core), so that one of these is there: ${fonts.join(', ')}.`,
        };
      }
      const [profile] = shippedProfiles;
      if (profile === undefined) throw new Error('there are no profiles');
      const drawn = await runFfmpeg(path, slateArguments(profile.spec, 0.1, { font: font }), signal);
      if (drawn.startError !== undefined) {
        return { subject, verdict: 'skipped', found: `${font}; there is no ffmpeg to try it` };
      }
      if (!drawn.failed) return { subject, verdict: 'ok', found: font };
      return {
        subject,
        verdict: 'warning',
        found: `${font}, but this ffmpeg cannot draw with it: ${lastLine(drawn.stderr)}`,
        remedy:
          'Use an ffmpeg that was built with libfreetype; until then the slate is a picture without words.',
      };
    },
  };
}
