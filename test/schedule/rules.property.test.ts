import fc from 'fast-check';
import { DateTime } from 'luxon';
import { describe, expect, it, vi } from 'vitest';
import { plan } from '../../src/schedule/plan.ts';
import { type PlanItem, type Slot, scheduleSchema } from '../../src/schedule/types.ts';
import { check, patienceMs } from './generated.ts';
import { hour, joined, planned } from './planning.ts';
import { aChannel, type GeneratedChannel } from './schedules.mjs';

// The rules of the scheduling contract that hold for any schedule at all.

vi.setConfig({ testTimeout: patienceMs });

const day = 24 * hour;
const aSpan = fc.oneof(fc.integer({ min: 1, max: 6 * hour }), fc.integer({ min: 1, max: 3 * day }));

type Playing = Exclude<PlanItem, { kind: 'offline' }>;

describe('for any schedule', () => {
  it('the generated ones have the form that the API asks for', () => {
    check([aChannel], 200, ({ schedule }) => {
      expect(scheduleSchema.parse(schedule)).toEqual(schedule);
    });
  });

  it('there are no holes, and every item is longer than zero (rule 1)', () => {
    check([aChannel, aSpan], 1000, (channel, span) => {
      const to = channel.from + span;
      const { items } = planned(channel, { to });
      expect(items[0]!.start).toBe(channel.from);
      expect(items.find((item, index) => index > 0 && item.start !== items[index - 1]!.stop)).toBe(undefined);
      expect(items.find(({ start, stop }) => !(Number.isInteger(stop) && start < stop))).toBe(undefined);
      expect(items.at(-1)!.stop).toBeGreaterThanOrEqual(to);
    });
  });

  it('what is placed begins inside the window, and nothing is placed behind what ends beyond it (rule 2)', () => {
    check([aChannel, aSpan], 500, (channel, span) => {
      const to = channel.from + span;
      const { items, cursors } = planned(channel, { to });
      if (cursors.since === cursors.until) {
        expect(items.at(-1)).toMatchObject({ kind: 'offline', stop: to });
        return;
      }
      const last = items.findIndex((item) => item.start === cursors.since);
      expect(cursors.since).toBeLessThan(to);
      expect(items.slice(0, last).find((item) => item.stop >= to)).toBe(undefined);
      const media = items.slice(last).flatMap((item) => (item.kind === 'program' ? item.media : []));
      expect(new Set(media).size).toBeLessThanOrEqual(1);
    });
  });

  it('a window planned in parts equals the window planned at once (rule 3)', () => {
    const someCuts = fc.record({
      cuts: fc.array(aSpan, { minLength: 2, maxLength: 8 }),
      literal: fc.boolean(),
    });
    check([aChannel, someCuts], 1500, (channel, { cuts, literal }) => {
      const ends = cuts.map((cut) => channel.from + cut).sort((a, b) => a - b);
      const whole = planned(channel, { to: ends.at(-1)! });
      const parts: PlanItem[] = [];
      let { from } = channel;
      let cursors = {};
      for (const to of ends) {
        const part = planned(channel, { from, to, cursors });
        for (const item of part.items) parts.push(item);
        cursors = JSON.parse(JSON.stringify(part.cursors));
        // The next window is asked for from where the last one ended, or from where its last item stops.
        from = literal ? to : (part.items.at(-1)?.stop ?? from);
      }
      expectSame(joined(parts), joined(whole.items));
      expectSame(cursors, whole.cursors);
    });
  });

  it('a checkpoint is what a plan until then would have returned (rule 3)', () => {
    check([aChannel, aSpan], 200, ({ library, ...channel }, span) => {
      const collections = new Map(Object.entries(library));
      const input = { ...channel, collections, cursors: {}, to: channel.from + span };
      const whole = plan({ ...input, checkpointEveryMs: span % (8 * hour) });
      const { checkpoints = [], ...output } = whole;
      expectSame(output, plan(input));
      expect(checkpoints.at(-1)).toEqual({ at: whole.items.at(-1)!.stop, cursors: whole.cursors });
      for (const { at, cursors } of checkpoints.slice(0, 20)) {
        const part = plan({ ...input, to: Math.min(at, input.to) });
        expectSame(part.cursors, cursors);
        expect(part.items.at(-1)!.stop).toBe(at);
      }
    });
  });

  it('the same input gives the same output, byte for byte, and is left as it was', () => {
    check([aChannel, aSpan], 300, (channel, span) => {
      const { from } = channel;
      const { cursors } = planned(channel, { to: from + span });
      const window = deepFreeze({ from: from + span, to: from + 2 * span, cursors });
      const first = planned(deepFreeze(channel), window);
      const again = planned(structuredClone(channel), structuredClone(window));
      expect(JSON.stringify(again)).toBe(JSON.stringify(first));
    });
  });

  it('no item is longer than its media, and the pieces of a media follow one another', () => {
    check([aChannel, aSpan], 500, (channel, span) => {
      const lengths = lengthsOf(channel);
      let reached = 0;
      const wrong = planned(channel, { to: channel.from + span }).items.find((item) => {
        if (item.kind === 'offline') return false;
        const length = lengths.get(item.media)!;
        if (item.out - item.in !== item.stop - item.start || item.out > length) return true;
        if (item.kind === 'filler') return item.in !== 0;
        const follows = item.in === reached;
        reached = item.out === length ? 0 : item.out;
        return !follows;
      });
      expect(wrong).toBe(undefined);
      expect(reached).toBe(0);
    });
  });

  it('a flood places nothing that does not end by the next fixed start (rule 4)', () => {
    check([aChannel, aSpan], 500, ({ schedule: { slots }, ...rest }, span) => {
      const channel = { ...rest, schedule: { slots } };
      const able = slots.filter((slot) => plays(channel, slot));
      const { items } = planned(channel, { to: channel.from + span });
      for (const group of programmes(items)) {
        const index = able.findIndex(({ id }) => id === group[0]!.slot);
        const round = [...able.slice(index + 1), ...able.slice(0, index + 1)];
        const start = round.find((slot) => slot.start !== undefined)?.start;
        if (able[index]!.mode !== 'flood' || start === undefined) continue;
        const next = told(channel.zone, start, group[0]!.start + 1);
        expect(group.at(-1)!.stop).toBeLessThanOrEqual(next);
      }
    });
  });

  it('a step back leaves every cursor as it was (rule 4): what did not fit is the next to play', () => {
    check([aChannel, aSpan], 500, ({ schedule: { slots }, ...rest }, span) => {
      // In this order each media says its place, so that one that was left out would show.
      const modes = slots.filter(({ mode }) => mode !== 'duration');
      const numbered = modes.map((slot) => ({ ...slot, order: 'shuffle' as const, play: 'A' }));
      fc.pre(numbered.length > 0);
      const channel = { ...rest, schedule: { slots: numbered } };
      const heard = new Map<string, number[]>();
      for (const group of programmes(planned(channel, { to: channel.from + span }).items)) {
        const { cycle = 0, position = 0 } = group.find(({ kind }) => kind === 'program')!.why;
        const [lastCycle, lastPosition] = heard.get(group[0]!.slot) ?? [0, 0];
        const expected = cycle === lastCycle ? [lastCycle, lastPosition! + 1] : [lastCycle! + 1, 1];
        expect([cycle, position]).toEqual(expected);
        heard.set(group[0]!.slot, [cycle, position]);
      }
    });
  });

  it('a turn of a duration lasts no longer than it may (rule 5)', () => {
    check([aChannel, aSpan], 300, ({ schedule: { slots }, ...rest }, span) => {
      const channel = { ...rest, schedule: { slots: slots.filter(({ mode }) => mode === 'duration') } };
      fc.pre(channel.schedule.slots.length > 1);
      for (const group of programmes(planned(channel, { to: channel.from + span }).items)) {
        const slot = slots.find(({ id }) => id === group[0]!.slot)!;
        expect(group.at(-1)!.stop - group[0]!.start).toBeLessThanOrEqual(mostOf(slot));
      }
    });
  });

  it('a shuffle plays every media once a cycle, and a cycle does not begin as the last one ended (rule 8)', () => {
    check([aChannel, aSpan], 300, ({ library, seed }, span) => {
      const media = [...new Map(library.A.map((m) => [m.id, { ...m, durationMs: hour }])).values()];
      fc.pre(media.length > 0);
      const slots: Slot[] = [{ id: 's', play: 'A', order: 'shuffle', mode: 'flood' }];
      const channel = { zone: 'UTC', seed, from: 0, schedule: { slots }, library: { ...library, A: media } };
      const { items } = planned(channel, { to: span });
      for (let i = 0; i < items.length; i += media.length) {
        const cycle = items.slice(i, i + media.length).map((item) => (item as Playing).media);
        expect(new Set(cycle).size).toBe(cycle.length);
        const before = items[i - 1] as Playing | undefined;
        if (media.length > 1) expect(cycle[0]).not.toBe(before?.media);
      }
    });
  });

  it('a shuffle that fills what is left repeats nothing in a cycle either (rules 8 and 10)', () => {
    check([aChannel, aSpan], 300, ({ library, schedule: { slots }, ...rest }, span) => {
      const F = [...new Map(library.F.map((media) => [media.id, media])).values()];
      const shuffled = slots.map(({ filler, ...slot }): Slot => {
        const { tail, fallback } = filler ?? {};
        const own = { ...(tail && { tail: { from: 'F' } }), ...(fallback && { fallback: { from: 'F' } }) };
        return { ...slot, filler: { ...own, post: { from: 'F', pad: 'PT1H' } } };
      });
      const channel = { ...rest, library: { ...library, F }, schedule: { slots: shuffled } };
      const { items } = planned(channel, { to: channel.from + span });
      const heard = new Set<string>();
      const repeated = items.find((item) => {
        if (item.kind !== 'filler') return false;
        const key = [item.slot, item.filler, item.why.cycle, item.media].join(' ');
        return heard.size === heard.add(key).size;
      });
      expect(repeated).toBe(undefined);
    });
  });

  it('each item says why it is on: the order, the cycle, and its place in that', () => {
    check([aChannel, aSpan], 500, (channel, span) => {
      const lists = [channel.schedule, ...(channel.schedule.days ?? [])].map(({ slots }) => slots);
      const { items } = planned(channel, { to: channel.from + span });
      const wrong = items.find((item) => {
        if (item.kind === 'offline') return false;
        const { order, cycle, position, member } = item.why;
        const counted = order === 'random' ? cycle === undefined : Number.isInteger(cycle) && cycle! >= 1;
        const fromPlaylist = lists.flat().some((slot) => slot.id === item.slot && playsPlaylist(slot));
        return !counted || !(position >= 1) || (member !== undefined && !fromPlaylist);
      });
      expect(wrong).toBe(undefined);
    });
  });

  it('what stands around and in a programme stands in its order (rule 10)', () => {
    check([aChannel, aSpan], 500, (channel, span) => {
      for (const group of programmes(planned(channel, { to: channel.from + span }).items)) {
        const kinds = group.map((item) => (item.kind === 'filler' ? item.filler : item.kind)).join(' ');
        expect(kinds).toMatch(/^(pre )*program(( mid)* program)*( post)*$/);
      }
    });
  });

  it('every step advances: something plays as long as anything can, and each problem is told once (rule 11)', () => {
    check([aChannel, aSpan], 500, (channel, span) => {
      const { items, problems } = planned(channel, { to: channel.from + span });
      const told = problems.map(({ code, slot, filler, media }) => [code, slot, filler, media].join(' '));
      expect(new Set(told).size).toBe(told.length);
      const { slots, days = [] } = channel.schedule;
      for (const slot of slots) {
        const empty = slot.play !== 'P' && (channel.library[slot.play] as unknown[]).length === 0;
        if (empty) expect(told).toContain(`empty-collection ${slot.id}  `);
      }
      const lists = [slots, ...days.map((rule) => rule.slots)];
      const able = lists.flat().filter((slot) => plays(channel, slot));
      expect(items.find(({ kind, slot }) => kind !== 'offline' && !able.some(({ id }) => id === slot))).toBe(
        undefined,
      );
      // Where there is no fixed start, no duration, no pad and no list without anything, nothing is waited for.
      const waits = able.some(
        ({ start, mode, filler }) => start !== undefined || mode === 'duration' || filler?.post !== undefined,
      );
      const dark = lists.some((list) => !list.some((slot) => plays(channel, slot)));
      if (!waits && !dark) expect(items.find(({ kind }) => kind === 'offline')).toBe(undefined);
    });
  });

  it('a guide entry is one stretch, and only what belongs to a hidden slot is in none (rule 12)', () => {
    check([aChannel, aSpan], 500, (channel, span) => {
      const slots = [channel.schedule, ...(channel.schedule.days ?? [])].flatMap((list) => list.slots);
      const hidden = new Set(slots.flatMap(({ id, guide }) => (guide?.hide === true ? [id] : [])));
      const visible = new Set(slots.flatMap(({ id, guide }) => (guide?.hide === true ? [] : [id])));
      const { items } = planned(channel, { to: channel.from + span });
      let number = 0;
      const wrong = items.find((item, index) => {
        const { slot = '', kind, guide } = item;
        if (guide === undefined) return kind !== 'offline' && !hidden.has(slot);
        const grows = guide === number ? items[index - 1]!.guide === guide : guide === number + 1;
        number = guide;
        return !grows || !visible.has(slot);
      });
      expect(wrong).toBe(undefined);
    });
  });
});

/** Like toEqual, which takes long for plans of many items, and so only tells the difference if there is one. */
function expectSame(found: unknown, expected: unknown): void {
  if (JSON.stringify(found) !== JSON.stringify(expected)) expect(found).toEqual(expected);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze);
  return value;
}

function playsPlaylist({ play, filler = {} }: Slot): boolean {
  return play === 'P' || Object.values(filler).some((roll) => roll.from === 'P');
}

function lengthsOf({ library }: GeneratedChannel): Map<string, number> {
  const { A, B, C, F, G } = library;
  return new Map([...A, ...B, ...C, ...F, ...G].map((media) => [media.id, media.durationMs]));
}

/** Whether a slot has anything to play, told from its collection alone. */
function plays({ library }: GeneratedChannel, slot: Slot): boolean {
  const some = (name: string, order: string): boolean => {
    const collection = library[name]!;
    if ('playlist' in collection)
      return collection.playlist.some((member) => some(member.play, member.order));
    return collection.some(
      ({ durationMs, season }) =>
        durationMs >= 1000 && durationMs <= mostOf(slot) && (order !== 'season-episode' || season !== 0),
    );
  };
  return some(slot.play, slot.order);
}

function mostOf(slot: Slot): number {
  const lengths: Record<string, number> = {
    PT30M: 0.5 * hour,
    PT1H: hour,
    PT2H30M: 2.5 * hour,
    PT9H: 9 * hour,
    P2D: 2 * day,
  };
  return slot.mode === 'duration' ? lengths[slot.duration]! : Number.POSITIVE_INFINITY;
}

/** Each media with its filler, but without tails and what a fallback has filled. */
function programmes(items: readonly PlanItem[]): Playing[][] {
  const groups: Playing[][] = [];
  let group: Playing[] | undefined;
  for (const item of items) {
    const filler = item.kind === 'filler' ? item.filler : undefined;
    if (item.kind === 'offline' || filler === 'tail' || filler === 'fallback') {
      group = undefined;
      continue;
    }
    const last = group?.at(-1);
    const preRolled = last?.kind === 'filler' && last.filler === 'pre';
    const begins = filler === 'pre' || (item.kind === 'program' && item.in === 0);
    if (begins && !(preRolled && item.slot === last.slot)) {
      group = [];
      groups.push(group);
    }
    group?.push(item);
  }
  return groups;
}

/**
 * The first time, from an instant on, that a wall clock shows a time of day: as luxon tells it. Where the clock leaves it
 * out, that is the first instant behind the gap; luxon says one as far behind it as the time was in it.
 */
function told(zone: string, start: string, from: number): number {
  for (let days = -1; ; days += 1) {
    const date = DateTime.fromMillis(from, { zone }).plus({ days }).toISODate();
    let first = DateTime.fromISO(`${date}T${start}`, { zone })
      .getPossibleOffsets()
      .reduce((a, b) => DateTime.min(a, b));
    if (!first.toISOTime()?.startsWith(start)) {
      while (first.minus({ minutes: 1 }).offset === first.offset) first = first.minus({ minutes: 1 });
    }
    if (first.toMillis() >= from) return first.toMillis();
  }
}
