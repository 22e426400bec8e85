import { z } from 'zod';
import { parseCursors } from '../schedule/cursors.ts';
import type { Cursors } from '../schedule/types.ts';

/** Cursors that name the collections otherwise: by names in a file, by ids in the database. */
export function renameInCursors(cursors: Cursors, rename: (collection: string) => string): Cursors {
  const state = parseCursors(cursors);
  const member = (key: string) => renamedMember(key, rename);
  const feeds = state.feeds.map((feed) => {
    const renamed = { ...feed, play: rename(feed.play) };
    if (renamed.order !== 'playlist') return renamed;
    return { ...renamed, member: member(renamed.member), following: renamed.following.map(member) };
  });
  return { ...state, feeds };
}

/** A member of a playlist is known by its collection, its order, and the how-manieth of these it is. */
const memberKey = z.tuple([z.string(), z.string(), z.int()]);

function renamedMember(key: string, rename: (collection: string) => string): string {
  const parsed = memberKey.safeParse(fromJson(key));
  if (!parsed.success) return key;
  const [play, ...rest] = parsed.data;
  return JSON.stringify([rename(play), ...rest]);
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
