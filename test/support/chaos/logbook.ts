import { appendFile } from 'node:fs/promises';

/** What is away for a while, during which the server may answer 503 and log errors. */
export type Outage = 'database' | 'disk' | 'library';

/** Answers that say that somebody else is to blame: unavailable, and no space left. */
const excusable = [503, 507];
/** Connections are made again and tasks have their next turn. */
const afterglowMs = 20_000;

/** Everything that a run has to tell. */
export class Logbook {
  readonly startedAt = performance.now();
  readonly faults: string[] = [];
  readonly operations = new Map<string, number>();
  readonly statuses = new Map<number, number>();
  /** How long the slate kept viewers from the programme after a disturbance, by kind. */
  readonly slateMs = new Map<string, number[]>();
  /** How long after the disturbance they had it again for good; 0 where they never lost it. */
  readonly backMs = new Map<string, number[]>();
  /** By what the restart gate or an open breaker had kept a channel waiting. */
  heldBack = 0;
  private readonly outages: { what: Outage; from: number; to: number | undefined }[] = [];

  constructor(
    private readonly say: (text: string) => void,
    private readonly file?: string,
  ) {}

  did(kind: string): void {
    this.operations.set(kind, (this.operations.get(kind) ?? 0) + 1);
    this.note(`did ${kind}`);
  }

  back(kind: string, slateMs: number, backMs: number): void {
    this.slateMs.set(kind, [...(this.slateMs.get(kind) ?? []), slateMs]);
    this.backMs.set(kind, [...(this.backMs.get(kind) ?? []), backMs]);
    this.note(`after ${kind}: slate for ${Math.round(slateMs)} ms, back after ${Math.round(backMs)} ms`);
  }

  /** Something that a viewer or an admin would complain about. */
  fault(text: string): void {
    const at = ((performance.now() - this.startedAt) / 1000).toFixed(1);
    this.faults.push(`at ${at} s: ${text}`);
    this.say(`  FAULT at ${at} s: ${text}`);
    this.note(`FAULT ${text}`);
  }

  /** For whoever looks for the cause afterwards. */
  note(text: string): void {
    if (this.file === undefined) return;
    void appendFile(this.file, `${new Date().toISOString()} ${text}\n`);
  }

  begin(what: Outage): () => void {
    const outage: Logbook['outages'][number] = { what, from: Date.now(), to: undefined };
    this.outages.push(outage);
    return () => {
      outage.to = Date.now();
    };
  }

  /** Whether something was away at that time (epoch milliseconds), or had just come back. */
  wasAway(at: number, kinds: readonly Outage[] = ['database', 'disk']): boolean {
    return this.outages.some(
      ({ what, from, to }) =>
        kinds.includes(what) && at >= from && (to === undefined || at <= to + afterglowMs),
    );
  }

  answered(status: number, what: string): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    if (status < 500) return;
    if (!excusable.includes(status)) this.fault(`${what} was answered with ${status}`);
    else if (!this.wasAway(Date.now())) this.fault(`${what} was answered with ${status} for no reason`);
  }
}
