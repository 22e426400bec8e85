import { createHash } from 'node:crypto';
import type { Database } from '../db/connection.ts';
import {
  answers,
  getGuideChannel,
  learnFirstAirings,
  readGuideRows,
  type TimedChannel,
} from '../db/guide.ts';
import { messageOf } from '../errors.ts';
import type { EpochMs } from '../schedule/types.ts';
import { countOpen, openBase, type Packed, pack, unpack, withBase, writtenBase } from './packed.ts';
import { foldProgrammes, longestRunMs, type Programme } from './programmes.ts';
import { pieceFloor, pieceMs, renderWindow } from './window.ts';
import { programmeElement } from './xmltv.ts';

/** What to write of one channel. */
export interface FragmentRequest {
  channelId: string;
  now: EpochMs;
  /** How far ahead the guide reaches. */
  days: number;
  /** ISO 639 code of titles and descriptions. */
  language: string;
  newDays: number;
  episodeIcon: 'poster' | 'still';
  /** The server's one address; undefined when it depends on who asks. */
  base: string | undefined;
  /** Addresses by which the guide is asked for, to be written for each of them at once. */
  bases: readonly string[];
  /** Pieces that are there already, and need not be packed again: hashes by start. */
  known: ReadonlyMap<EpochMs, string>;
}

/** The programmes of one channel that start within one piece of time, in order. */
export interface RenderedPiece {
  start: EpochMs;
  /** When its last programme ends. */
  reaches: EpochMs;
  /** Of its text, without an address. */
  hash: string;
  /** Undefined when it is known. */
  content: RenderedContent | undefined;
}

export interface RenderedContent {
  packed: Packed;
  /** How often it leaves the server's address open. */
  open: number;
  /** With each of the request's addresses in it; empty when it leaves none open. */
  local: ReadonlyMap<string, Packed>;
}

export interface RenderedFragment {
  pieces: RenderedPiece[];
  /** Why the channel's programmes could not be written: it is shown as off air instead. */
  problem: string | undefined;
}

/**
 * Reads the timeline of a channel and writes it as XMLTV. A timeline that cannot be written is shown as off air.
 * Undefined when the channel is gone. Throws when the database is away.
 *
 * Made for a worker thread: two weeks are half a megabyte of text and more.
 */
export async function renderFragment(
  db: Database,
  request: FragmentRequest,
): Promise<RenderedFragment | undefined> {
  const channel = await getGuideChannel(db, request.channelId);
  if (channel === undefined) return undefined;
  const write = (programmes: readonly Programme[]) => piecesOf(channel, programmes, request);
  try {
    return { pieces: write(await programmesOf(db, channel, request)), problem: undefined };
  } catch (error) {
    if (!(await answers(db))) throw error;
    return { pieces: write(foldProgrammes([], renderWindow(request))), problem: messageOf(error) };
  }
}

/** Writes an address into packed texts, and packs them again. */
export function localise(deflated: readonly Uint8Array[], base: string): Packed[] {
  const written = writtenBase(base);
  return deflated.map((each) => pack(withBase(unpack(each), written)));
}

async function programmesOf(
  db: Database,
  channel: TimedChannel,
  request: FragmentRequest,
): Promise<Programme[]> {
  const window = renderWindow(request);
  const { rows, media } = await readGuideRows(db, channel.id, {
    from: window.from - longestRunMs,
    to: window.to,
  });
  const newSince = window.from - request.newDays * 86_400_000;
  const asked = media.filter(
    ({ aired, addedAt }) => aired === null || (request.newDays > 0 && addedAt > newSince),
  );
  await learnFirstAirings(db, asked);
  return foldProgrammes(rows, window, channel.titles);
}

function piecesOf(
  channel: TimedChannel,
  programmes: readonly Programme[],
  request: FragmentRequest,
): RenderedPiece[] {
  const { base, language, newDays, episodeIcon } = request;
  const written = base === undefined ? openBase : writtenBase(base).toString();
  const options = { base: written, language, newDays, episodeIcon };
  const first = renderWindow(request).from;
  const pieces: RenderedPiece[] = [];
  for (let at = 0; at < programmes.length; ) {
    // What began before the first piece, and goes on, belongs to it.
    const start = Math.max(pieceFloor(programmes[at]!.start), first);
    let text = '';
    let reaches = start;
    for (; at < programmes.length && programmes[at]!.start < start + pieceMs; at++) {
      const programme = programmes[at]!;
      text += programmeElement(channel, programme, options);
      reaches = programme.stop;
    }
    pieces.push(pieceOf(Buffer.from(text), start, reaches, request));
  }
  return pieces;
}

function pieceOf(text: Buffer, start: EpochMs, reaches: EpochMs, request: FragmentRequest): RenderedPiece {
  const hash = createHash('sha256').update(text).digest('base64url').slice(0, 22);
  if (request.known.get(start) === hash) return { start, reaches, hash, content: undefined };
  const open = countOpen(text);
  const bases = open === 0 ? [] : request.bases;
  const local = new Map(bases.map((base) => [base, pack(withBase(text, writtenBase(base)))]));
  return { start, reaches, hash, content: { packed: pack(text), open, local } };
}
