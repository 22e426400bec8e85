import { describe, expect, it } from 'vitest';
import { plan } from '../../src/schedule/plan.ts';
import type { Playlist, PlaylistMember } from '../../src/schedule/types.ts';
import { aired, Channel, hour, hours, inputOf, media, shown, slot } from './planning.ts';

const lists = { A: hours('a1', 'a2', 'a3'), B: hours('b1', 'b2'), C: hours('c1'), N: [] };
const member = (play: string, more: Partial<PlaylistMember> = {}): PlaylistMember => ({
  play,
  order: 'custom',
  count: 1,
  ...more,
});
const listOf = (...playlist: PlaylistMember[]): Playlist => ({ playlist });
const channelOf = (playlist: Playlist) => new Channel([slot('s', 'P')], { ...lists, P: playlist });

describe('a playlist', () => {
  it('plays so many of each member in turn, and each goes on where it was', () => {
    const P = listOf(member('A', { count: 2 }), member('B'));
    expect(channelOf(P).play(9)).toEqual(['a1', 'a2', 'b1', 'a3', 'a1', 'b2', 'a2', 'a3', 'b1']);
  });

  it('plays all of a member', () => {
    const P = listOf(member('C'), member('A', { count: 'all' }));
    expect(channelOf(P).play(8)).toEqual(['c1', 'a1', 'a2', 'a3', 'c1', 'a1', 'a2', 'a3']);
  });

  it('plays each member in its own order, whatever the slot says', () => {
    const A = [media('x', 60, { aired: '2001-01-01' }), media('y', 60, { aired: '2000-01-01' })];
    const P = listOf(member('A', { order: 'chronological', count: 'all' }), member('A', { count: 'all' }));
    const found = plan(inputOf([slot('s', 'P', { order: 'shuffle' })], { A, P }, { to: 4 * hour }));
    expect(aired(found)).toEqual(['y', 'x', 'x', 'y']);
    expect(found.items[0]).toMatchObject({
      why: { order: 'chronological', cycle: 1, position: 1, member: 'A' },
    });
  });

  it('goes on in a member that it names twice', () => {
    const P = listOf(member('A'), member('C'), member('A'), member('B'));
    expect(channelOf(P).play(8)).toEqual(['a1', 'c1', 'a2', 'b1', 'a3', 'c1', 'a1', 'b2']);
  });

  it('passes over members that have nothing to play, and reports them', () => {
    const P = listOf(member('N'), member('A'), member('N', { count: 'all' }));
    const found = plan(inputOf([slot('s', 'P')], { ...lists, P }, { to: 2 * hour }));
    expect(aired(found)).toEqual(['a1', 'a2']);
    expect(found.problems).toEqual([
      { code: 'empty-collection', slot: 's', message: 'collection "N" is empty' },
    ]);
  });

  it.each([[listOf()], [listOf(member('N'))]])('with nothing to play is an empty collection', (P) => {
    const slots = [slot('s', 'P', { mode: 'one' }), slot('a', 'A', { mode: 'one' })];
    const found = plan(inputOf(slots, { ...lists, P }, { to: 2 * hour }));
    expect(aired(found)).toEqual(['a1', 'a2']);
    expect(found.problems).toMatchObject([{ code: 'empty-collection', slot: 's' }]);
  });

  it('may be filler', () => {
    const P = listOf(member('F', { count: 2 }), member('G'));
    const filler = { pre: { from: 'P', count: 2 }, tail: { from: 'P' } };
    const slots = [slot('s', 'A', { mode: 'duration', duration: 'PT1H30M', filler })];
    const short = { F: [media('f', 5), media('g', 6)], G: [media('h', 7)] };
    const found = plan(inputOf(slots, { ...lists, ...short, P }, { to: hour }));
    expect(shown(found)).toBe('f0:00 g0:05 a10:11');
    const rest = plan(inputOf(slots, { ...lists, ...short, P }, { to: 90 * 60_000 }));
    expect(shown(rest)).toBe('f0:00 g0:05 a10:11 f1:11 g1:16 h1:22 offline1:29');
  });

  it('passes over members whose media do not fit', () => {
    const P = listOf(member('L'), member('F'), member('G'));
    const collections = { L: [media('l', 200)], F: [media('f', 20)], G: [media('g', 30)], P };
    const slots = [slot('s', 'P', { mode: 'duration', duration: 'PT1H' })];
    const found = plan(inputOf(slots, collections, { to: 2 * hour }));
    expect(shown(found)).toBe('f0:00 g0:20 offline0:50 f1:00 g1:20 offline1:50');
    expect(found.problems).toMatchObject([{ code: 'never-fits', slot: 's', media: 'l' }]);
  });

  it('leaves every member as it was when what it offers does not fit a flood', () => {
    const P = listOf(member('A', { count: 2 }), member('B'));
    const slots = [slot('s', 'P'), slot('z', 'C', { mode: 'one', start: '02:30' })];
    const found = plan(inputOf(slots, { ...lists, P }, { to: 6 * hour }));
    expect(aired(found)).toEqual(['a1', 'a2', 'c1', 'b1', 'a3', 'a1']);
  });
});

describe('a playlist that is changed', () => {
  it('goes on in the member that was on, wherever it stands now', () => {
    const channel = channelOf(listOf(member('A', { count: 3 }), member('B'), member('C')));
    expect(channel.play(2)).toEqual(['a1', 'a2']);
    channel.collections = { ...lists, P: listOf(member('C'), member('B'), member('A', { count: 3 })) };
    expect(channel.play(5)).toEqual(['a3', 'c1', 'b1', 'a1', 'a2']);
  });

  it('goes on with what followed a member that is gone, and keeps the cursors of the others', () => {
    const channel = channelOf(listOf(member('A'), member('C'), member('B')));
    expect(channel.play(5)).toEqual(['a1', 'c1', 'b1', 'a2', 'c1']);
    channel.collections = { ...lists, P: listOf(member('A'), member('B')) };
    expect(channel.play(3)).toEqual(['b2', 'a3', 'b1']);
  });

  it('takes up a collection that the slot has played by itself', () => {
    const channel = new Channel([slot('s', 'A')], lists);
    expect(channel.play(2)).toEqual(['a1', 'a2']);
    channel.slots = [slot('s', 'P')];
    channel.collections = { ...lists, P: listOf(member('B'), member('A')) };
    expect(channel.play(3)).toEqual(['b1', 'a3', 'b2']);
  });
});
