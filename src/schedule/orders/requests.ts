import { type FillerKind, fillerKinds, type PlaylistMember, type Slot } from '../types.ts';
import type { FeedRequest } from './feed.ts';

export function contentOf({ id, play, order, parts }: Slot): FeedRequest {
  return { slot: id, role: 'content', play, order, ...(parts === undefined ? {} : { parts }) };
}

/** Undefined where a slot has no filler of a kind, or no collection for it. */
export function fillerOf(slot: Slot, kind: FillerKind): FeedRequest | undefined {
  const { from, order = 'shuffle' } = slot.filler?.[kind] ?? {};
  return from === undefined ? undefined : { slot: slot.id, role: kind, play: from, order };
}

/** A member is played as the playlist says, whatever the slot says. */
export function memberRequest(
  { slot, role }: FeedRequest,
  { play, order, parts }: PlaylistMember,
): FeedRequest {
  return { slot, role, play, order, ...(parts === undefined ? {} : { parts }) };
}

/** All that a slot may play. */
export function requestsOf(slot: Slot): FeedRequest[] {
  return [contentOf(slot), ...fillerKinds.flatMap((kind) => fillerOf(slot, kind) ?? [])];
}
