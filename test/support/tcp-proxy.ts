import { connect, createServer, type Server, type Socket } from 'node:net';

export interface TcpProxy {
  /** On 127.0.0.1. It stays the same. */
  port: number;
  /** Connections that are open at the moment. */
  readonly connections: number;
  /**
   * - `through`: what comes in goes out
   * - `silent`: connections are accepted, and nothing ever comes out of them
   * - `closing`: connections are accepted and ended at once
   * - `refusing`: nothing listens
   */
  mode(mode: 'through' | 'silent' | 'closing' | 'refusing'): Promise<void>;
  /** Each piece that goes through from now on waits for so long. */
  delay(ms: number): void;
  /** Ends connections, all or a single one: in order, or as a host does that has forgotten them. */
  cut(how: 'end' | 'reset', index?: number): void;
  /** Ends a connection when it has had so many more bytes from the server: amid an answer. */
  cutAfter(bytes: number, how: 'end' | 'reset'): void;
  close(): Promise<void>;
}

/** Stands before a server, and does to its clients what networks do. */
export async function startTcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  let mode: Parameters<TcpProxy['mode']>[0] = 'through';
  let delayMs = 0;
  let cutting: { bytes: number; how: 'end' | 'reset' } | undefined;
  const pairs = new Set<[Socket, Socket]>();

  const end = ([client, upstream]: [Socket, Socket], how: 'end' | 'reset') => {
    if (how === 'reset') client.resetAndDestroy();
    else client.destroy();
    upstream.destroy();
  };
  const forward = (pair: [Socket, Socket], from: Socket, to: Socket) => {
    from.on('data', (bytes) => {
      if (mode === 'silent') return;
      const send = () => {
        if (to === pair[0] && cutting !== undefined) {
          cutting.bytes -= bytes.length;
          if (cutting.bytes <= 0) {
            to.write(bytes.subarray(0, Math.max(0, bytes.length + cutting.bytes)));
            end(pair, cutting.how);
            cutting = undefined;
            return;
          }
        }
        to.write(bytes);
      };
      if (delayMs > 0) setTimeout(send, delayMs);
      else send();
    });
  };
  const accept = (client: Socket) => {
    if (mode === 'closing') {
      client.on('error', () => {});
      client.destroy();
      return;
    }
    const upstream = connect(target);
    const pair: [Socket, Socket] = [client, upstream];
    pairs.add(pair);
    for (const socket of pair) {
      socket.on('error', () => {});
      socket.on('close', () => {
        pairs.delete(pair);
        if (mode !== 'silent') end(pair, 'end');
      });
    }
    forward(pair, client, upstream);
    forward(pair, upstream, client);
  };

  let server: Server | undefined = await listen(accept, 0);
  const { port } = server.address() as { port: number };
  const refuse = async () => {
    const closing = server;
    server = undefined;
    for (const pair of pairs) end(pair, 'end');
    await new Promise<void>((done) => (closing === undefined ? done() : closing.close(() => done())));
  };
  return {
    port,
    get connections() {
      return pairs.size;
    },
    mode: async (next) => {
      mode = next;
      if (next === 'refusing') await refuse();
      else server ??= await listen(accept, port);
    },
    delay: (ms) => {
      delayMs = ms;
    },
    cut: (how, index) => {
      const all = [...pairs];
      for (const pair of index === undefined ? all : all.slice(index, index + 1)) end(pair, how);
    },
    cutAfter: (bytes, how) => {
      cutting = { bytes, how };
    },
    close: refuse,
  };
}

async function listen(accept: (client: Socket) => void, port: number): Promise<Server> {
  const server = createServer(accept);
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(port, '127.0.0.1', done);
  });
  return server;
}
