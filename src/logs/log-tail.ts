import { type LogEntry, parseEntry } from './log-entry.ts';

/** An entry at the moment of its logging. */
export interface LiveEntry {
  entry: LogEntry;
  /** As it was written, for the search in its text. */
  line: string;
  /** The entry as JSON, made once for all who listen. */
  json: string;
}

type Listener = (live: LiveEntry) => void;

/** Passes on what is logged to those who watch. Costs nothing while there are none. */
export class LogTail {
  private readonly listeners = new Set<Listener>();

  write(line: string): void {
    if (this.listeners.size === 0) return;
    const entry = parseEntry(line);
    if (entry === undefined) return;
    const live = { entry, line, json: JSON.stringify(entry) };
    for (const listener of this.listeners) listener(live);
  }

  /** The listener must be quick, and must neither throw nor log. Returns a function that ends it. */
  subscribe(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
