import { describe, expect, it } from 'vitest';
import { Channel, hours, media, slot } from './planning.ts';

const episode = (day: number) => media(`e${day}`, 60, { aired: `2000-01-${String(day).padStart(2, '0')}` });
const episodes = (...days: number[]) => days.map(episode);

describe('a change of a collection', () => {
  it('does not make an older episode play, replay or skip anything', () => {
    const channel = new Channel([slot('s', 'A', { order: 'chronological' })], { A: episodes(2, 4, 6, 8) });
    expect(channel.play(2)).toEqual(['e2', 'e4']);
    channel.collections = { A: episodes(1, 2, 3, 4, 5, 6, 8) };
    expect(channel.play(5)).toEqual(['e5', 'e6', 'e8', 'e1', 'e2']);
  });

  it.each(['chronological', 'custom'])(
    'goes on with what followed when the last played is removed: %s',
    (order) => {
      const channel = new Channel([slot('s', 'A', { order })], { A: episodes(1, 2, 3, 4, 5) });
      expect(channel.play(3)).toEqual(['e1', 'e2', 'e3']);
      channel.collections = { A: episodes(1, 2, 4, 5) };
      expect(channel.play(3)).toEqual(['e4', 'e5', 'e1']);
    },
  );

  it('goes on with what followed when the last played is removed: shuffle', () => {
    const whole = new Channel([slot('s', 'A', { order: 'shuffle' })], { A: episodes(1, 2, 3, 4, 5, 6) }).play(
      6,
    );
    for (let count = 1; count < 6; count++) {
      const channel = new Channel([slot('s', 'A', { order: 'shuffle' })], { A: episodes(1, 2, 3, 4, 5, 6) });
      const last = channel.play(count).at(-1);
      channel.collections = { A: episodes(1, 2, 3, 4, 5, 6).filter((item) => item.id !== last) };
      expect(channel.play(6 - count)).toEqual(whole.slice(count));
    }
  });

  it.each(['chronological', 'custom'])('plays what is added after the last of a cycle: %s', (order) => {
    const channel = new Channel([slot('s', 'A', { order })], { A: episodes(1, 2, 3) });
    expect(channel.play(3)).toEqual(['e1', 'e2', 'e3']);
    channel.collections = { A: episodes(1, 2, 3, 4) };
    expect(channel.play(2)).toEqual(['e4', 'e1']);
  });

  it.each(['chronological', 'custom'])('wraps when the last of a cycle is removed: %s', (order) => {
    const channel = new Channel([slot('s', 'A', { order })], { A: episodes(1, 2, 3) });
    channel.play(3);
    channel.collections = { A: episodes(1, 2) };
    expect(channel.play(3)).toEqual(['e1', 'e2', 'e1']);
  });

  it('goes on after what came before when the last played and all that followed are removed: custom', () => {
    const channel = new Channel([slot('s', 'A')], { A: hours('a', 'b', 'c', 'd') });
    channel.play(3);
    channel.collections = { A: hours('a', 'b', 'new') };
    expect(channel.play(2)).toEqual(['new', 'a']);
  });

  it.each(['chronological', 'custom'])(
    'does not play what takes the place of the last played: %s',
    (order) => {
      const [first, second, third] = episodes(1, 2, 3);
      const channel = new Channel([slot('s', 'A', { order })], { A: [first!, second!, third!] });
      channel.play(2);
      channel.collections = { A: [first!, { ...second!, id: 'e02' }, third!] };
      expect(channel.play(2)).toEqual(['e3', 'e1']);
    },
  );

  it('of what the last played is sorted by goes on with the one that followed it', () => {
    for (const day of [1, 9]) {
      const channel = new Channel([slot('s', 'A', { order: 'chronological' })], { A: episodes(2, 4, 6, 8) });
      expect(channel.play(2)).toEqual(['e2', 'e4']);
      const moved = { ...episode(day), id: 'e4' };
      channel.collections = { A: [...episodes(2, 6, 8), moved] };
      expect(channel.play(1)).toEqual(['e6']);
    }
  });

  it('of what all are sorted by goes on with the one that followed the last played', () => {
    const undated = episodes(1, 2, 3, 4, 5).map(({ aired: _, ...rest }) => rest);
    const channel = new Channel([slot('s', 'A', { order: 'chronological' })], { A: undated });
    expect(channel.play(3)).toEqual(['e1', 'e2', 'e3']);
    channel.collections = { A: episodes(1, 2, 3, 4, 5) };
    expect(channel.play(3)).toEqual(['e4', 'e5', 'e1']);
  });

  it('begins anew when nothing is left of a custom list', () => {
    const channel = new Channel([slot('s', 'A')], { A: hours('a', 'b', 'c', 'd') });
    channel.play(2);
    channel.collections = { A: hours('x', 'y') };
    expect(channel.play(2)).toEqual(['x', 'y']);
  });

  it('does not begin a shuffle with the media that played last, when it ended a cycle by removal', () => {
    for (let seed = 0; seed < 60; seed++) {
      const slots = [slot('s', 'A', { order: 'shuffle' })];
      const channel = new Channel(slots, { A: hours('a', 'b', 'c') }, seed);
      const [first, last] = channel.play(2);
      channel.collections = { A: hours(first!, last!) };
      expect(channel.play(1)).toEqual([first]);
    }
  });

  it('keeps a media that was held back at the end of its cycle', () => {
    let held = 0;
    for (let seed = 0; seed < 60; seed++) {
      const channel = new Channel(
        [slot('s', 'A', { order: 'shuffle' })],
        { A: hours('a', 'b', 'c', 'd') },
        seed,
      );
      const [, , , end, ...second] = channel.play(6);
      const left = ['a', 'b', 'c', 'd'].filter((id) => !second.includes(id));
      if (JSON.stringify(channel.cursors).includes('"held"')) {
        held += 1;
        expect(channel.play(2).at(-1)).toBe(end);
      } else expect(channel.play(2).toSorted()).toEqual(left);
    }
    expect(held).toBeGreaterThan(3);
  });
});

describe('a change of a schedule', () => {
  const one = (id: string, play = id.toUpperCase(), more = {}) => slot(id, play, { mode: 'one', ...more });
  const collections = { A: hours('a1', 'a2', 'a3'), B: hours('b1', 'b2', 'b3'), C: hours('c1', 'c2', 'c3') };

  it('of one slot does not move the cursor of another', () => {
    const channel = new Channel([one('a'), one('b')], collections);
    expect(channel.play(4)).toEqual(['a1', 'b1', 'a2', 'b2']);
    channel.slots = [one('a', 'C', { order: 'chronological' }), one('b')];
    expect(channel.play(4)).toEqual(['c1', 'b3', 'c2', 'b1']);
  });

  it('that puts slots into another order keeps their cursors', () => {
    const channel = new Channel([one('a'), one('b'), one('c')], collections);
    expect(channel.play(4)).toEqual(['a1', 'b1', 'c1', 'a2']);
    channel.slots = [one('c'), one('a'), one('b')];
    expect(channel.play(3)).toEqual(['b2', 'c2', 'a3']);
  });

  it('that removes the slot on air goes on with the one that followed it', () => {
    const channel = new Channel(
      [one('a'), slot('b', 'B', { mode: 'multiple', count: 3 }), one('c')],
      collections,
    );
    expect(channel.play(2)).toEqual(['a1', 'b1']);
    channel.slots = [one('a'), one('c')];
    expect(channel.play(2)).toEqual(['c1', 'a2']);
  });

  it('that removes the slot on air is remembered while nothing can play', () => {
    const channel = new Channel([one('a'), one('b'), one('c')], collections);
    expect(channel.play(2)).toEqual(['a1', 'b1']);
    channel.slots = [one('a'), one('c')];
    channel.collections = { A: [], C: [] };
    expect(channel.play(1)).toEqual([]);
    channel.collections = collections;
    expect(channel.play(2)).toEqual(['c1', 'a2']);
  });

  it('that removes the slot on air and the one that followed it goes on with the next', () => {
    const channel = new Channel([one('a'), one('b'), one('c')], collections);
    expect(channel.play(1)).toEqual(['a1']);
    channel.slots = [one('x', 'A'), one('c')];
    expect(channel.play(2)).toEqual(['c1', 'a1']);
  });

  it('that inserts a slot behind the one on air plays it next', () => {
    const channel = new Channel([one('a'), one('b')], collections);
    expect(channel.play(1)).toEqual(['a1']);
    channel.slots = [one('x', 'C'), one('a'), one('c'), one('b')];
    expect(channel.play(4)).toEqual(['c1', 'b1', 'c1', 'a2']);
  });

  it('that removes every slot begins with the first', () => {
    const channel = new Channel([one('a'), one('b')], collections);
    channel.play(1);
    channel.slots = [one('c'), one('b2', 'B')];
    expect(channel.play(2)).toEqual(['c1', 'b1']);
  });

  it('goes on in the middle of a multiple', () => {
    const channel = new Channel([slot('a', 'A', { mode: 'multiple', count: 3 }), one('b')], collections);
    expect(channel.play(2)).toEqual(['a1', 'a2']);
    channel.slots = [one('c'), ...channel.slots];
    expect(channel.play(3)).toEqual(['a3', 'b1', 'c1']);
  });

  it.each(['chronological', 'shuffle', 'custom'])(
    'that gives a slot another collection begins it anew: %s',
    (order) => {
      const channel = new Channel([slot('s', 'A', { order })], {
        A: hours('m', 'n', 'o'),
        B: hours(...'abcxyz'),
      });
      channel.play(2);
      channel.slots = [slot('s', 'B', { order })];
      const fresh = new Channel(channel.slots, channel.collections);
      expect(channel.play(4)).toEqual(fresh.play(4));
    },
  );

  it('that gives a slot a collection with what it played last goes on after it', () => {
    const channel = new Channel([slot('s', 'A')], { A: hours('x', 'y'), B: hours('w', 'x', 'y', 'z') });
    channel.play(2);
    channel.slots = [slot('s', 'B')];
    expect(channel.play(2)).toEqual(['z', 'w']);
  });

  it('forgets the cursors of slots that are gone', () => {
    const channel = new Channel([one('a'), one('b')], collections);
    channel.play(2);
    channel.slots = [one('b')];
    channel.play(1);
    expect(channel.cursors.feeds).toMatchObject([{ slot: 'b' }]);
  });
});
