import type { Schedule, When } from './types.ts';
import type { DayNumber } from './zone-clock.ts';

const dayMs = 86_400_000;
/** A change of rules that is further away than this is not looked for. */
const farthestDays = 400;

/** Which list of slots is in force on which day. */
export class DayRules {
  readonly #rules: readonly { when: When }[];
  readonly #known = new Map<DayNumber, number>();

  constructor({ days = [] }: Schedule) {
    this.#rules = days;
  }

  /** Without rules all days are alike, and nobody needs to know which one it is. */
  get any(): boolean {
    return this.#rules.length > 0;
  }

  /** The index of the first rule that matches a day; -1 when none does. */
  ruleOn(day: DayNumber): number {
    let rule = this.#known.get(day);
    if (rule === undefined) {
      const date = new Date(day * dayMs);
      rule = this.#rules.findIndex(({ when }) => matches(when, date));
      this.#known.set(day, rule);
    }
    return rule;
  }

  /** The first day after this one that has another rule; undefined when there is none for long. */
  nextChange(day: DayNumber): DayNumber | undefined {
    if (!this.any) return undefined;
    const rule = this.ruleOn(day);
    for (let next = day + 1; next <= day + farthestDays; next++) {
      if (this.ruleOn(next) !== rule) return next;
    }
    return undefined;
  }

  /** Whether another rule has come into force after one day, until another. */
  changedBetween(from: DayNumber, to: DayNumber): boolean {
    if (to < from) return this.ruleOn(to) !== this.ruleOn(from);
    const change = this.nextChange(from);
    return (change !== undefined && change <= to) || this.ruleOn(to) !== this.ruleOn(from);
  }
}

function matches(when: When, date: Date): boolean {
  const month = date.getUTCMonth() + 1;
  const monthday = date.getUTCDate();
  return (
    (when.weekdays?.includes(date.getUTCDay() || 7) ?? true) &&
    (when.months?.includes(month) ?? true) &&
    (when.monthdays?.includes(monthday) ?? true) &&
    within(month * 100 + monthday, asNumber(when.from ?? '01-01'), asNumber(when.to ?? '12-31'))
  );
}

/** Compares days of the year as numbers, MMDD, so that a day which does not exist is no trouble. */
function within(day: number, from: number, to: number): boolean {
  return from <= to ? from <= day && day <= to : from <= day || day <= to;
}

function asNumber(monthDay: string): number {
  return Number(monthDay.replace('-', ''));
}
