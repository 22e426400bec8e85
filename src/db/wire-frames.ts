// PostgreSQL's protocol (PostgreSQL 53.7), as far as it takes to tell messages apart.

/** Message types of the frontend (PostgreSQL 53.7). A start-up message has none: its first byte is that of its length. */
export const type = {
  startup: 0x00,
  parse: 0x50,
  query: 0x51,
  sync: 0x53,
  functionCall: 0x46,
  terminate: 0x58,
};

/** Whether the session answers this message with ReadyForQuery. */
export function endsTurn(frame: Buffer): boolean {
  switch (frame[0]) {
    case type.startup:
    case type.query:
    case type.sync:
    case type.functionCall:
      return true;
    default:
      return false;
  }
}

export function frameOf(letter: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(letter, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

export const syncFrame = frameOf('S', Buffer.alloc(0));

export function queryFrame(statement: string): Buffer {
  return frameOf('Q', Buffer.from(`${statement}\0`));
}

export function firstString(frame: Buffer): string {
  return frame.toString('utf8', 5, frame.indexOf(0, 5));
}

/** Requests that take a start-up message's place: cancel, TLS, GSSAPI. */
const request = { cancel: 80_877_102, tls: 80_877_103, gssapi: 80_877_104 };

/** Cuts what a client sends into whole messages. */
export class FrameReader {
  readonly #refuseEncryption: () => void;
  #chunks: Buffer[] = [];
  #size = 0;
  #started = false;

  constructor(refuseEncryption: () => void) {
    this.#refuseEncryption = refuseEncryption;
  }

  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    const frames: Buffer[] = [];
    for (;;) {
      const frame = this.#next();
      if (frame === undefined) return frames;
      if (this.#started) frames.push(frame);
      else frames.push(...this.#starting(frame));
    }
  }

  #next(): Buffer | undefined {
    const lengthAt = this.#started ? 1 : 0;
    if (this.#size < lengthAt + 4) return undefined;
    const first = this.#peek(lengthAt + 4);
    const whole = lengthAt + first.readInt32BE(lengthAt);
    if (this.#size < whole) return undefined;
    const all = this.#peek(this.#size);
    this.#size -= whole;
    this.#chunks = this.#size === 0 ? [] : [all.subarray(whole)];
    return all.subarray(0, whole);
  }

  /** The first `length` bytes in one piece. */
  #peek(length: number): Buffer {
    const [first] = this.#chunks;
    if (first !== undefined && first.length >= length) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }

  #starting(frame: Buffer): Buffer[] {
    switch (frame.readInt32BE(4)) {
      case request.tls:
      case request.gssapi:
        this.#refuseEncryption();
        return [];
      case request.cancel:
        // There is nothing to cancel: a statement has ended before the next message is read.
        return [frameOf('X', Buffer.alloc(0))];
      default:
        this.#started = true;
        return [frame];
    }
  }
}
