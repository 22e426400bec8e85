import { DateTime, Duration } from 'luxon';
import { z } from 'zod';

const instantForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-](0\d|1[0-4]):[0-5]\d)$/;

/** An ISO 8601 instant with an offset, read as epoch milliseconds. */
export const isoInstant = z.string().transform((text, context): number => {
  const instant = instantForm.test(text) ? DateTime.fromISO(text) : DateTime.invalid('form');
  if (instant.isValid) return instant.toMillis();
  return refuse(context, 'not an ISO 8601 instant with an offset, such as 2026-03-07T00:00:00-06:00');
});

/** An ISO 8601 duration of weeks, days, hours, minutes and seconds, read as whole milliseconds. */
export const isoDuration = z.string().transform((text, context): number => {
  const read = readDuration(text);
  return typeof read === 'number' ? read : refuse(context, read.wrong);
});

/** The same, kept as the text that it is. */
export function durationText({ leastMs, mostMs = longestMs }: { leastMs: number; mostMs?: number }) {
  return z.string().superRefine((text, context) => {
    const read = readDuration(text);
    if (typeof read !== 'number') context.addIssue({ code: 'custom', message: read.wrong });
    else if (read < leastMs || read > mostMs) {
      context.addIssue({
        code: 'custom',
        message: `not between ${toDuration(leastMs)} and ${toDuration(mostMs)}`,
      });
    }
  });
}

/** A time on the wall clock, such as 20:00 or 20:00:30. */
export const clockTimeText = z
  .string()
  .regex(/^([01]\d|2[0-3])(:[0-5]\d){1,2}$/, 'not a time of day, such as 20:00');

/** A day of the year, MM-DD. It need not exist: 02-31 is one that never comes. */
export const monthDayText = z
  .string()
  .regex(/^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/, 'not a month and a day, such as 12-24');

/** Milliseconds of a duration that has been checked before. */
export function durationMs(text: string): number {
  const read = readDuration(text);
  if (typeof read !== 'number') throw new RangeError(`"${text}" is ${read.wrong}`);
  return read;
}

/** Milliseconds of a time of day since midnight, as the wall clock counts. */
export function clockTimeMs(text: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = text.split(':').map(Number);
  return ((hours * 60 + minutes) * 60 + seconds) * 1000;
}

/** The form in which an answer gives an instant: UTC, with milliseconds. */
export function toIso(instant: number): string {
  return new Date(instant).toISOString();
}

const longestMs = 366 * 86_400_000;

function readDuration(text: string): number | { wrong: string } {
  const duration = /\d/.test(text) ? Duration.fromISO(text) : Duration.invalid('form');
  if (!duration.isValid || text.includes('-')) return { wrong: 'not an ISO 8601 duration, such as PT1H30M' };
  if (duration.years !== 0 || duration.months !== 0)
    return { wrong: 'years and months have no fixed length' };
  const exact = duration.toMillis();
  const whole = Math.round(exact);
  // PT1.1H is 3960000.0000000005; and luxon drops whatever follows the third decimal of a second.
  if (Math.abs(exact - whole) > 1e-3 || /[.,]\d{3}\d*[1-9]\d*S$/.test(text)) {
    return { wrong: 'not a whole number of milliseconds' };
  }
  return whole <= longestMs ? whole : { wrong: 'longer than 366 days' };
}

function toDuration(ms: number): string {
  return Duration.fromMillis(ms).rescale().toISO() ?? '';
}

function refuse(context: z.RefinementCtx, message: string): never {
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
}
