import { closeSync, openSync, readSync } from 'node:fs';
import { entryIdNumber } from './entry-id.ts';
import { type LogEntry, levels, parseEntry } from './log-entry.ts';

const newline = 0x0a;
const chunkBytes = 1024 * 1024;
const firstCapacity = 1_024;

/** What is known of the entries in one file, in columns: 29 bytes an entry. The texts stay in the file. */
export class LogSegment {
  /** How many entries there are. Their order is that of their ids. */
  count = 0;
  /** How much of the file has been looked through: up to the end of a line. */
  scannedBytes = 0;
  ids = new Float64Array(firstCapacity);
  /** Epoch milliseconds. */
  times = new Float64Array(firstCapacity);
  offsets = new Uint32Array(firstCapacity);
  lengths = new Uint32Array(firstCapacity);
  /** Indexes into `levels`. */
  levels = new Uint8Array(firstCapacity);
  /** What `channelCode` answers for the channel's number; 0 without a channel. */
  channels = new Uint32Array(firstCapacity);
  private readonly channelCodes = new Map<string, number>();

  constructor(
    readonly path: string,
    readonly inode: number,
  ) {}

  get firstId(): number {
    return this.ids[0] ?? Number.NaN;
  }

  get lastId(): number {
    return this.ids[this.count - 1] ?? Number.NaN;
  }

  /** Undefined when no entry here is about that channel. */
  channelCode(channel: string): number | undefined {
    return this.channelCodes.get(channel);
  }

  /** Adds what has come to the file. A last line that is not whole yet is left for the next time. */
  scan(size: number): void {
    const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, size - this.scannedBytes));
    this.withFile((fd) => {
      while (this.scannedBytes < size) {
        const wanted = Math.min(chunk.length, size - this.scannedBytes);
        const read = readSync(fd, chunk, 0, wanted, this.scannedBytes);
        const taken = this.addLines(chunk.subarray(0, read));
        // Longer than any entry: what is left of it will not be taken for one.
        if (taken === 0 && read < chunkBytes) return;
        this.scannedBytes += taken === 0 ? read : taken;
      }
    });
  }

  /** Where an id is, or where it would be: the index of the first entry that is not before it. */
  indexOf(id: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.ids[middle]! < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The entries at these indexes; what cannot be read any more is left out. */
  read(indexes: readonly number[]): LogEntry[] {
    const entries: LogEntry[] = [];
    this.withFile((fd) => {
      for (const index of indexes) {
        const line = Buffer.allocUnsafe(this.lengths[index]!);
        readSync(fd, line, 0, line.length, this.offsets[index]!);
        const entry = parseEntry(line.toString());
        if (entry !== undefined) entries.push(entry);
      }
    });
    return entries;
  }

  /** Calls `visit` with a piece of the file that has the entries from `first` up to `end`, until all had their turn. */
  readAll(visit: (bytes: Buffer, first: number, end: number) => void): void {
    const chunk = Buffer.allocUnsafe(chunkBytes);
    this.withFile((fd) => {
      for (let first = 0, end = 0; first < this.count; first = end) {
        const start = this.offsets[first]!;
        while (end < this.count && this.offsets[end]! + this.lengths[end]! - start <= chunkBytes) end += 1;
        const length = this.offsets[end - 1]! + this.lengths[end - 1]! - start;
        const read = readSync(fd, chunk, 0, length, start);
        visit(chunk.subarray(0, read), first, end);
      }
    });
  }

  private withFile(action: (fd: number) => void): void {
    const fd = openSync(this.path, 'r');
    try {
      action(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** Returns the length of the whole lines. */
  private addLines(bytes: Buffer): number {
    let start = 0;
    for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, start)) {
      const entry = parseEntry(bytes.toString('utf8', start, end));
      if (entry !== undefined) this.add(entry, this.scannedBytes + start, end - start);
      start = end + 1;
    }
    return start;
  }

  private add(entry: LogEntry, offset: number, length: number): void {
    const id = entryIdNumber(entry.id);
    // The end of a process may have written an entry twice.
    if (this.count > 0 && id <= this.lastId) return;
    if (this.count === this.ids.length) this.grow();
    const index = this.count++;
    this.ids[index] = id;
    this.times[index] = Date.parse(entry.time);
    this.offsets[index] = offset;
    this.lengths[index] = length;
    this.levels[index] = levels.indexOf(entry.level);
    this.channels[index] = entry.channel === undefined ? 0 : this.codeOf(entry.channel);
  }

  private codeOf(channel: string): number {
    const known = this.channelCodes.get(channel);
    if (known !== undefined) return known;
    const code = this.channelCodes.size + 1;
    this.channelCodes.set(channel, code);
    return code;
  }

  private grow(): void {
    const capacity = this.ids.length * 2;
    this.ids = grown(this.ids, new Float64Array(capacity));
    this.times = grown(this.times, new Float64Array(capacity));
    this.offsets = grown(this.offsets, new Uint32Array(capacity));
    this.lengths = grown(this.lengths, new Uint32Array(capacity));
    this.levels = grown(this.levels, new Uint8Array(capacity));
    this.channels = grown(this.channels, new Uint32Array(capacity));
  }
}

function grown<T extends Float64Array | Uint32Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
