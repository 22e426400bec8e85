import http from 'node:http';

export interface Capture {
  status: number;
  headers: http.IncomingHttpHeaders;
  bytes: Buffer;
  /** Epoch milliseconds. */
  firstByteAt: number | undefined;
  /** Whether the server ended it. */
  ended: boolean;
  /** The longest time without a byte, after the first one. */
  worstGapMs: number;
}

/** Reads a stream for so long, or until the server ends it or the signal aborts. */
export function capture(url: string, durationMs: number, signal?: AbortSignal): Promise<Capture> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let lastAt: number | undefined;
    let worstGapMs = 0;
    let firstByteAt: number | undefined;
    const request = http.get(url, { agent: false }, (response) => {
      const { statusCode: status = 0, headers } = response;
      const finish = (ended: boolean) => {
        clearTimeout(timer);
        resolve({ status, headers, bytes: Buffer.concat(chunks), firstByteAt, ended, worstGapMs });
        request.destroy();
      };
      const timer = setTimeout(() => finish(false), durationMs);
      signal?.addEventListener('abort', () => finish(false));
      // It may have been aborted before there was an answer.
      if (signal?.aborted) finish(false);
      response.on('data', (bytes: Buffer) => {
        firstByteAt ??= Date.now();
        const now = performance.now();
        if (lastAt !== undefined) worstGapMs = Math.max(worstGapMs, now - lastAt);
        lastAt = now;
        chunks.push(bytes);
      });
      response.on('end', () => finish(true));
      response.on('error', () => finish(true));
    });
    request.on('error', reject);
  });
}
