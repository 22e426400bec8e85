import { createInterface } from 'node:readline';
import { execa } from 'execa';
import {
  clockBits,
  clockCells,
  clockCheck,
  clockGeometry,
  clockGuard,
} from '../../src/demo/picture-clock.ts';

/** One decoded frame of a capture. `recording` and `positionMs` are absent where no code is in the picture. */
export interface ClockFrame {
  /** The frame's time in the file, as it is written there. */
  ptsMs: number;
  /** Number of the sample recording. */
  recording: number | undefined;
  /** Where in the recording the frame is from. */
  positionMs: number | undefined;
}

export interface ReadPictureClockOptions {
  ffmpegPath?: string;
  /** Begin so far into the file. */
  fromMs?: number;
  /** Read no more than this. */
  durationMs?: number;
  signal?: AbortSignal;
}

// The frames are decoded into a small 16:9 canvas, with bars where the file has another shape.
const canvas = { width: 432, height: 243 };

/** Shapes of the sample recordings: within a 16:9 picture they stand between black bars. */
const shapes = [16 / 9, 4 / 3, 2.4];

/** Reads the picture clock of every frame of a video file or a capture. Throws when ffmpeg cannot read the file. */
export async function readPictureClock(
  file: string,
  options: ReadPictureClockOptions = {},
): Promise<ClockFrame[]> {
  const { width, height } = canvas;
  const fit = `scale=w=min(${width}\\,round(${height}*dar)):h=min(${height}\\,round(${width}/dar)):flags=area`;
  const ffmpeg = execa(
    options.ffmpegPath ?? 'ffmpeg',
    [
      ...['-hide_banner', '-nostdin', '-nostats', '-copyts'],
      ...(options.fromMs === undefined ? [] : ['-ss', String(options.fromMs / 1000)]),
      ...(options.durationMs === undefined ? [] : ['-t', String(options.durationMs / 1000)]),
      ...['-i', file, '-map', '0:v:0', '-fps_mode', 'passthrough'],
      ...['-vf', `${fit},pad=${width}:${height}:-1:-1,format=gray,showinfo=checksum=0`],
      ...['-f', 'rawvideo', 'pipe:1'],
    ],
    {
      buffer: false,
      encoding: 'buffer',
      stdin: 'ignore',
      ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    },
  );
  const times: number[] = [];
  const complaints: string[] = [];
  const reading = (async () => {
    for await (const line of createInterface({ input: ffmpeg.stderr })) {
      const time = /showinfo.* n: *\d+ .*pts_time:(\S+)/.exec(line)?.[1];
      if (time !== undefined) times.push(Number(time) * 1000);
      else if (complaints.length < 200) complaints.push(line);
    }
  })();
  const codes: (ClockCode | undefined)[] = [];
  for await (const frame of framesOf(ffmpeg.stdout, width * height)) codes.push(decodeFrame(frame));
  try {
    await Promise.all([ffmpeg, reading]);
  } catch (error) {
    throw new Error(`ffmpeg could not read ${file}:\n${complaints.slice(-20).join('\n')}`, { cause: error });
  }
  if (times.length !== codes.length) throw new Error(`${codes.length} frames, but ${times.length} times`);
  return codes.map((code, i) => ({
    ptsMs: times[i]!,
    recording: code?.recording,
    positionMs: code?.positionMs,
  }));
}

export interface ClockCode {
  recording: number;
  positionMs: number;
}

async function* framesOf(stream: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let frame = Buffer.allocUnsafe(size);
  let filled = 0;
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; ) {
      const taken = chunk.copy(frame, filled, at);
      at += taken;
      filled += taken;
      if (filled < size) continue;
      yield frame;
      frame = Buffer.allocUnsafe(size);
      filled = 0;
    }
  }
}

function decodeFrame(pixels: Buffer): ClockCode | undefined {
  for (const shape of shapes) {
    const code = decodeAt(pixels, placeOf(shape));
    if (code !== undefined) return code;
  }
  return undefined;
}

interface Place {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Where a picture of this shape is in the canvas. */
function placeOf(shape: number): Place {
  const width = Math.min(canvas.width, canvas.height * shape);
  const height = Math.min(canvas.height, canvas.width / shape);
  return { width, height, left: (canvas.width - width) / 2, top: (canvas.height - height) / 2 };
}

function decodeAt(pixels: Buffer, place: Place): ClockCode | undefined {
  const bits: number[] = [];
  for (let cell = 0; cell < clockCells; cell++) {
    const bit = bitAt(pixels, place, cell);
    if (bit === undefined) return undefined;
    bits.push(bit);
  }
  const take = (count: number) => bits.splice(0, count);
  const before = take(clockGuard.length);
  const positionMs = numberOf(take(clockBits.position));
  const recording = numberOf(take(clockBits.recording));
  const check = numberOf(take(clockBits.check));
  const isGuard = (cells: number[]) => cells.every((bit, i) => bit === clockGuard[i]);
  if (!isGuard(before) || !isGuard(bits) || check !== clockCheck(positionMs, recording)) return undefined;
  return { recording, positionMs };
}

/** Compares the upper cell with the lower one, which is its inverse. Too little contrast is no bit. */
function bitAt(pixels: Buffer, place: Place, cell: number): 0 | 1 | undefined {
  const x =
    place.left + place.width * (clockGeometry.left + (clockGeometry.width * (cell + 0.5)) / clockCells);
  const y = (row: number) =>
    place.top + place.height * (clockGeometry.top + clockGeometry.rowHeight * (row + 0.5));
  const difference = grayAround(pixels, x, y(0)) - grayAround(pixels, x, y(1));
  if (Math.abs(difference) < 48) return undefined;
  return difference > 0 ? 1 : 0;
}

function grayAround(pixels: Buffer, x: number, y: number): number {
  let sum = 0;
  for (let dy = -1; dy <= 1; dy++) {
    for (let dx = -1; dx <= 1; dx++) {
      sum += pixels[(Math.floor(y) + dy) * canvas.width + Math.floor(x) + dx]!;
    }
  }
  return sum / 9;
}

function numberOf(bits: number[]): number {
  return bits.reduce((sum, bit, k) => sum + bit * 2 ** k, 0);
}
