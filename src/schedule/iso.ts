import { DateTime, Duration } from 'luxon';
import { z } from 'zod';
import type { EpochMs } from './types.ts';

const instantForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-](0\d|1[0-4]):[0-5]\d)$/;

/** An ISO 8601 instant with an offset, read as epoch milliseconds. */
export const isoInstant = z.string().transform((text, context): EpochMs => {
  const instant = instantForm.test(text) ? DateTime.fromISO(text) : DateTime.invalid('form');
  if (instant.isValid) return instant.toMillis();
  return refuse(context, 'not an ISO 8601 instant with an offset, such as 2026-03-07T00:00:00-06:00');
});

const longestMs = 366 * 86_400_000;

/** An ISO 8601 duration of weeks, days, hours, minutes and seconds, read as whole milliseconds. */
export const isoDuration = z.string().transform((text, context): number => {
  const duration = /\d/.test(text) ? Duration.fromISO(text) : Duration.invalid('form');
  if (!duration.isValid || text.includes('-')) {
    return refuse(context, 'not an ISO 8601 duration, such as PT1H30M');
  }
  if (duration.years !== 0 || duration.months !== 0) {
    return refuse(context, 'years and months have no fixed length');
  }
  const exact = duration.toMillis();
  const whole = Math.round(exact);
  // PT1.1H is 3960000.0000000005; and luxon drops whatever follows the third decimal of a second.
  if (Math.abs(exact - whole) > 1e-3 || /[.,]\d{3}\d*[1-9]\d*S$/.test(text)) {
    return refuse(context, 'not a whole number of milliseconds');
  }
  return whole <= longestMs ? whole : refuse(context, 'longer than 366 days');
});

/** The form in which an answer gives an instant: UTC, with milliseconds. */
export function toIso(instant: EpochMs): string {
  return new Date(instant).toISOString();
}

function refuse(context: z.RefinementCtx, message: string): never {
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
}
