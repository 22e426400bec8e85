import { UnavailableError } from '../errors.ts';
import type { Packed } from './packed.ts';
import type { Piece } from './piece.ts';

/** Pieces with one address in them. */
export type LocalPiece = (piece: Piece) => Packed | undefined;

/** More addresses than this are hardly the server's own. */
const maxBases = 4;
/** What all addresses together may take. */
const maxBytes = 128 * 1024 * 1024;
/** So much is sent to the worker thread at a time, so that it can do something else in between. */
const batchBytes = 128 * 1024;

/**
 * Keeps pieces with the addresses in them by which the guide is asked for. Pictures need absolute addresses that
 * the client can reach, and a server has several: a name, a number, that of a proxy.
 */
export class LocalPieces {
  /** The one that was used last is the last. */
  readonly #bases = new Map<string, WeakMap<Piece, Packed>>();
  readonly #preparing = new Map<string, Promise<void>>();

  constructor(
    private readonly deps: { localise: (deflated: Uint8Array[], base: string) => Promise<Packed[]> },
  ) {}

  /** Those by which the guide has been asked for lately. */
  get bases(): string[] {
    return [...this.#bases.keys()];
  }

  /** Takes a piece for one of the addresses, if that is still in use. */
  add(base: string, piece: Piece, packed: Packed): void {
    this.#bases.get(base)?.set(piece, packed);
  }

  /** Makes the pieces that are not there yet, and gives all of them. Throws UnavailableError. */
  async prepare(base: string, pieces: readonly Piece[]): Promise<LocalPiece> {
    const local = this.#use(base, pieces);
    const find: LocalPiece = (piece) => (piece.open === 0 ? piece.packed : local.get(piece));
    for (;;) {
      const missing = pieces.filter((piece) => find(piece) === undefined);
      if (missing.length === 0) return find;
      const other = this.#preparing.get(base);
      // Who asks at the same time wants the same.
      await (other ?? this.#make(base, missing, local));
    }
  }

  #use(base: string, pieces: readonly Piece[]): WeakMap<Piece, Packed> {
    const local = this.#bases.get(base) ?? new WeakMap<Piece, Packed>();
    this.#bases.delete(base);
    this.#bases.set(base, local);
    const bytes = pieces.reduce((sum, { open, packed }) => sum + (open > 0 ? packed.deflated.length : 0), 0);
    const max = Math.max(1, Math.min(maxBases, Math.floor(maxBytes / bytes)));
    for (const oldest of this.#bases.keys()) {
      if (this.#bases.size <= max) break;
      this.#bases.delete(oldest);
    }
    return local;
  }

  #make(base: string, missing: readonly Piece[], local: WeakMap<Piece, Packed>): Promise<void> {
    const making = this.#makeInBatches(base, missing, local).finally(() => this.#preparing.delete(base));
    this.#preparing.set(base, making);
    return making;
  }

  async #makeInBatches(
    base: string,
    missing: readonly Piece[],
    local: WeakMap<Piece, Packed>,
  ): Promise<void> {
    for (const batch of batches(missing)) {
      const deflated = batch.map(({ packed }) => packed.deflated);
      const made = await this.deps.localise(deflated, base).catch((cause: unknown) => {
        throw new UnavailableError('The guide cannot be written for this address at the moment.', {
          operation: 'writing the guide',
          cause,
        });
      });
      for (const [index, piece] of batch.entries()) local.set(piece, made[index]!);
    }
  }
}

function* batches(pieces: readonly Piece[]): Generator<Piece[]> {
  let batch: Piece[] = [];
  let bytes = 0;
  for (const piece of pieces) {
    batch.push(piece);
    bytes += piece.packed.deflated.length;
    if (bytes < batchBytes) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}
