import type { EpochMs } from '../schedule/types.ts';
import type { Packed } from './packed.ts';

/** The programmes of a channel that start within one piece of time. It is replaced, never changed. */
export interface Piece {
  start: EpochMs;
  /** When its last programme ends. */
  reaches: EpochMs;
  /** Of its text, with the server's address left open. */
  hash: string;
  packed: Packed;
  /** How often it leaves the address open. */
  open: number;
}
