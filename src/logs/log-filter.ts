import { headLength, type Level, levels } from './log-entry.ts';
import type { LiveEntry } from './log-tail.ts';

/** What an entry must have; all of it. */
export interface LogFilter {
  /** This level or a graver one. */
  level?: Level | undefined;
  /** The channel's number. */
  channel?: string | undefined;
  /** Stands in the message or in another field, in its name or in its value; capitals do not matter. */
  text?: string | undefined;
  /** Epoch milliseconds: not before, … */
  since?: number | undefined;
  /** … and before. */
  until?: number | undefined;
}

/** A test of the entries that are being logged. */
export function liveFilter(filter: LogFilter): (live: LiveEntry) => boolean {
  const leastLevel = levels.indexOf(filter.level ?? 'trace');
  const text = filter.text === undefined ? undefined : needleOf(filter.text).toLowerCase();
  return ({ entry, line }) => {
    if (levels.indexOf(entry.level) < leastLevel) return false;
    if (filter.channel !== undefined && entry.channel !== filter.channel) return false;
    const at = Date.parse(entry.time);
    if (at < (filter.since ?? -Infinity) || at >= (filter.until ?? Infinity)) return false;
    return text === undefined || line.slice(headLength(entry.level)).toLowerCase().includes(text);
  };
}

/** A text as it stands in a line. */
export function needleOf(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
