import type { Arbitrary } from 'fast-check';
import type {
  Filler,
  PlanCollection,
  PlanMedia,
  Playlist,
  Schedule,
  Slot,
} from '../../src/schedule/types.ts';

type Letter = 'A' | 'B' | 'C' | 'F' | 'G' | 'N';
export type Library = { [Name in Letter]: PlanMedia[] } & { P: Playlist } & {
  [name: string]: PlanCollection;
};

export interface GeneratedChannel {
  zone: string;
  seed: number;
  from: number;
  schedule: Schedule;
  library: Library;
}

export const zones: readonly string[];
export function aMedia(id: string, length?: Arbitrary<number>): Arbitrary<PlanMedia>;
export const aLibrary: Arbitrary<Library>;
export const aFiller: Arbitrary<Filler>;
export function aSlot(id: string): Arbitrary<Slot>;
export const aSchedule: Arbitrary<Schedule>;
export const anInstant: Arbitrary<number>;
export const aChannel: Arbitrary<GeneratedChannel>;
