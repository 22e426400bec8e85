import type { AccessUnit } from '../mpegts/access-unit.ts';

/** Where the units of what is on come from: an encoder, or the slate. */
export interface Source {
  /** The next unit, if it is there already. */
  peek(): AccessUnit | undefined;
  shift(): AccessUnit | undefined;
}
