import { filterOption } from './filter-text.ts';

// A bar code in the picture that says which recording a frame is from and where in it the frame stands, so
// that a program can check what a channel sends. Two rows of cells: the lower row is the upper one inverted,
// so that each bit is read by comparing two neighbours and a frame without the code is never taken for one.
//
//   W B W | position, 20 bits | recording, 8 bits | check, 8 bits | W B W
//   B W B | the same, inverted                                    | B W B
//
// All bits are written with the lowest first.

/** Where the code stands, as fractions of the picture's width and height. */
export const clockGeometry = {
  left: 0.05,
  width: 0.9,
  top: 0.08,
  rowHeight: 0.04,
  /** Black border around the cells. */
  border: 0.01,
} as const;

/** The outermost cells on either side, upper row: white, black, white. */
export const clockGuard = [1, 0, 1] as const;

export const clockBits = { position: 20, recording: 8, check: 8 } as const;

export const clockCells = 2 * clockGuard.length + clockBits.position + clockBits.recording + clockBits.check;

/** The check of a code: the bytes of the position and the recording, exclusive-ored. */
export function clockCheck(positionMs: number, recording: number): number {
  return (positionMs ^ (positionMs >>> 8) ^ (positionMs >>> 16) ^ recording) & 0xff;
}

/**
 * ffmpeg filters that draw the code of `recording` (1 to 255) into a picture of this size. The position is
 * the frame's own time in milliseconds, rounded down, up to 17 minutes.
 */
export function clockFilters(recording: number, width: number, height: number): string[] {
  const bits = [
    ...constantBits(clockGuard),
    ...range(clockBits.position).map(positionBit),
    ...constantBits(range(clockBits.recording).map((k) => (recording >> k) & 1)),
    ...range(clockBits.check).map((k) => checkBit(k, recording)),
    ...constantBits(clockGuard),
  ];
  const edges = range(clockCells + 1).map((i) =>
    Math.round(width * (clockGeometry.left + (clockGeometry.width * i) / clockCells)),
  );
  const [top, middle, bottom] = [0, 1, 2].map((row) =>
    Math.round(height * (clockGeometry.top + clockGeometry.rowHeight * row)),
  ) as [number, number, number];
  const border = Math.ceil(width * clockGeometry.border);
  const left = edges[0]!;
  const right = edges[clockCells]!;
  return [
    box('black', left - border, top - border, right + border, bottom + border),
    box('white', left, middle, right, bottom),
    ...bits.flatMap((bit, i) => {
      if (bit === '0') return [];
      const enable = bit === '1' ? undefined : bit;
      return [
        box('white', edges[i]!, top, edges[i + 1]!, middle, enable),
        box('black', edges[i]!, middle, edges[i + 1]!, bottom, enable),
      ];
    }),
  ];
}

function constantBits(bits: readonly number[]): string[] {
  return bits.map(String);
}

/** Expression of the position's bit k. The small addend keeps a time such as 0.04 s from becoming 39 ms. */
function positionBit(k: number): string {
  return `mod(floor((t*1000+0.01)/${2 ** k}),2)`;
}

function checkBit(k: number, recording: number): string {
  const terms = [k, k + 8, k + 16].filter((bit) => bit < clockBits.position).map(positionBit);
  return `mod(${[...terms, (recording >> k) & 1].join('+')},2)`;
}

function box(color: string, x0: number, y0: number, x1: number, y1: number, enable?: string): string {
  const area = `x=${x0}:y=${y0}:w=${x1 - x0}:h=${y1 - y0}`;
  const when = enable === undefined ? '' : `:enable=${filterOption(enable)}`;
  return `drawbox=${area}:color=${color}:t=fill${when}`;
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}
