import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  /** Undefined when the connection was closed without an answer. */
  status: number | undefined;
  /** Names in small letters. */
  headers: Record<string, string>;
  body: string;
  tookMs: number;
}

export interface RawRequest {
  method?: string;
  /** As it stands in the request line. */
  target: string;
  headers?: readonly (readonly [name: string, value: string])[];
  body?: Buffer | string;
  /** By default the body's own; `null` sends no Content-Length. */
  contentLength?: number | null;
}

/**
 * Sends bytes as they are and waits for one answer, or for the end of the connection. An endless answer (a stream,
 * events) is left when its headers are there. Rejects when neither has come in time: that is a server that hangs.
 */
export async function exchange(
  base: string,
  request: Buffer,
  options: { timeoutMs?: number } = {},
): Promise<RawAnswer> {
  const startedAt = performance.now();
  const { socket, received, ended } = open(base);
  socket.write(request);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const timeoutMs = options.timeoutMs ?? 15_000;
    const fail = () => reject(new Error(`no answer within ${timeoutMs} ms: ${shown(request)}`));
    timer = setTimeout(fail, timeoutMs);
  });
  try {
    await Promise.race([ended, endless(socket, received), late]);
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
  return { ...parseAnswer(received()), tookMs: performance.now() - startedAt };
}

/** A connection on which the test itself says what is sent, and when. */
export function open(base: string): { socket: Socket; received: () => Buffer; ended: Promise<void> } {
  const { hostname, port } = new URL(base);
  const socket = connect(Number(port), hostname);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  // A server that refuses a body resets the connection on which it is still being sent.
  socket.on('error', () => {});
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return { socket, received: () => Buffer.concat(chunks), ended };
}

/** The bytes of a request that asks for the connection to be closed behind its answer. */
export function requestBytes({
  method = 'GET',
  target,
  headers = [],
  body,
  contentLength,
}: RawRequest): Buffer {
  const content = body === undefined ? undefined : Buffer.from(body);
  const length = contentLength === undefined ? content?.length : contentLength;
  const lines = [
    `${method} ${target} HTTP/1.1`,
    ...(headers.some(([name]) => name.toLowerCase() === 'host') ? [] : ['Host: 127.0.0.1']),
    'Connection: close',
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(length === undefined || length === null ? [] : [`Content-Length: ${length}`]),
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), content ?? Buffer.alloc(0)]);
}

/** What a request looks like in a message. */
export function shown(request: Buffer): string {
  const text = JSON.stringify(request.toString('latin1'));
  return text.length > 400 ? `${text.slice(0, 300)} … (${request.length} bytes)` : text;
}

async function endless(socket: Socket, received: () => Buffer): Promise<void> {
  await new Promise<void>((resolve) => {
    socket.on('data', () => {
      const { status, headers } = parseAnswer(received());
      const type = headers['content-type'] ?? '';
      if (status === 200 && /^(video\/mp2t|text\/event-stream)/.test(type)) resolve();
    });
  });
}

/** The last answer that is not an interim one (100 Continue). */
export function parseAnswer(bytes: Buffer): Omit<RawAnswer, 'tookMs'> {
  const text = bytes.toString('latin1');
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd === -1) return { status: undefined, headers: {}, body: '' };
  const [statusLine = '', ...lines] = text.slice(0, headEnd).split('\r\n');
  const status = Number(statusLine.split(' ')[1]);
  if (status < 200) return parseAnswer(bytes.subarray(headEnd + 4));
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  return { status, headers, body: bytes.subarray(headEnd + 4).toString('utf8') };
}
