const everyMs = 20;
const worthNotingMs = 40;
const keptMs = 120_000;

/**
 * When this process itself was held up, so that a gap which a viewer sees is not blamed on the server although
 * the bytes lay waiting for their reader.
 */
export class OwnLag {
  private readonly late: { from: number; to: number }[] = [];
  private lastAt = performance.now();
  private timer: NodeJS.Timeout | undefined;

  start(): void {
    this.lastAt = performance.now();
    this.timer ??= setInterval(() => this.beat(), everyMs);
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** How much of the time between two instants this process did not run, in milliseconds. */
  within(from: number, to: number): number {
    this.beat();
    return this.late.reduce((sum, span) => {
      return sum + Math.max(0, Math.min(to, span.to) - Math.max(from, span.from));
    }, 0);
  }

  private beat(): void {
    const now = performance.now();
    if (now - this.lastAt > everyMs + worthNotingMs) this.late.push({ from: this.lastAt + everyMs, to: now });
    while (this.late[0] !== undefined && now - this.late[0].to > keptMs) this.late.shift();
    this.lastAt = now;
  }
}
