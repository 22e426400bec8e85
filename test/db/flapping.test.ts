import { setTimeout as delay } from 'node:timers/promises';
import pino from 'pino';
import { describe, expect, inject, it, type TestContext } from 'vitest';
import { type Connection, type ConnectOptions, connect } from '../../src/db/connection.ts';
import type { DatabaseObserver } from '../../src/db/observer.ts';
import { inHaste, type Patience, patienceOf } from '../../src/db/patience.ts';
import { DatabaseError } from '../../src/errors.ts';
import { createTestDatabase } from '../support/postgres-cluster.ts';
import { seeded } from '../support/random.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

const serverUrl = inject('postgresUrl');

interface Network {
  proxy: TcpProxy;
  /** Past the proxy. */
  direct: Connection;
  /** Through the proxy. */
  open(options?: ConnectOptions): Connection;
  /** How often each name stands in the ledger. */
  entries(): Promise<Map<string, number>>;
}

/** A database of its own behind a network of its own: what mostly waits runs side by side. */
async function network({ onTestFinished: finished }: TestContext): Promise<Network> {
  const { databaseUrl, drop } = await createTestDatabase(serverUrl!);
  finished(drop);
  const direct = connect({ url: databaseUrl }, { max: 2 });
  finished(() => direct.stop());
  await direct.sql`create table ledger (name text not null, part int not null)`;
  const { hostname, port } = new URL(databaseUrl);
  const proxy = await startTcpProxy({ host: hostname, port: Number(port) });
  finished(() => proxy.close());
  const open = (options: ConnectOptions = {}) => {
    const url = new URL(databaseUrl);
    url.port = String(proxy.port);
    const throughProxy = connect({ url: url.href }, { max: 4, ...options });
    finished(() => throughProxy.stop());
    return throughProxy;
  };
  const entries = async () => {
    const rows = await direct.sql`select name, count(*)::int as n from ledger group by name`;
    return new Map(rows.map(({ name, n }) => [name, n]));
  };
  return { proxy, direct, open, entries };
}

const enter = async ({ sql }: Pick<Connection, 'sql'>, name: string) => {
  await sql`insert into ledger (name, part) values (${name}, 1)`;
};
const enterThree = async ({ sql }: Connection, name: string) =>
  await sql.begin(async (tx) => {
    // The second and third are under way at the same time.
    await tx`insert into ledger (name, part) values (${name}, 1)`;
    await Promise.all([2, 3].map((part) => tx`insert into ledger (name, part) values (${name}, ${part})`));
    return name;
  });

describe.runIf(serverUrl !== null)('a database behind a network that fails', () => {
  it.concurrent('survives hundreds of cuts amid transactions: each is there once, or not, or nobody claims to know', async (context) => {
    const { proxy, open, entries } = await network(context);
    const seed = Number(process.env.TEST_SEED ?? Date.now() % 1_000_000);
    console.log(`seed ${seed} (TEST_SEED)`);
    const random = seeded(seed);
    // A try each: many more of them fail than with retries.
    const connection = open({ patience: { ...patienceOf('trial'), connectMs: 1_000, answerMs: 1_000 } });
    const outcomes = new Map<string, 'done' | DatabaseError>();
    let cuts = 0;
    let done = 0;
    let isOver = false;
    const cutter = (async () => {
      while (cuts < 300 || done < 50) {
        const how = random() < 0.5 ? 'reset' : 'end';
        if (random() < 0.6) proxy.cut(how, Math.floor(random() * proxy.connections));
        else proxy.cutAfter(Math.floor(random() * 600), how);
        cuts++;
        await delay(random() * 40);
      }
      isOver = true;
    })();
    const workers = Array.from({ length: 4 }, async (_, worker) => {
      for (let i = 0; !isOver; i++) {
        const name = `${worker}-${i}`;
        const [call] = random() < 0.7 ? [enterThree(connection, name)] : [enter(connection, name)];
        const outcome = await call.then(
          () => 'done' as const,
          (error) => error,
        );
        if (outcome === 'done') done++;
        outcomes.set(name, outcome);
      }
    });
    await Promise.all([cutter, ...workers]);
    const found = await entries();
    const faults = new Map<string, number>();
    for (const [name, outcome] of outcomes) {
      const n = found.get(name) ?? 0;
      const said = outcome === 'done' ? 'done' : outcome.fault;
      faults.set(said, (faults.get(said) ?? 0) + 1);
      if (outcome === 'done') expect([1, 3], name).toContain(n);
      else {
        expect(outcome).toBeInstanceOf(DatabaseError);
        expect(outcome.operation).toMatch(/^(adding to ledger|beginning or ending a transaction)$/);
        if (outcome.fault === 'away') expect(n, name).toBe(0);
        else {
          expect(outcome.fault).toBe('uncertain');
          expect([0, 1, 3], name).toContain(n);
        }
      }
    }
    console.log(`${cuts} cuts: ${JSON.stringify(Object.fromEntries(faults))}`);
    expect(faults.get('away')).toBeGreaterThan(20);
    // Nothing is left of them: what follows is as on a new day.
    await enterThree(connection, 'afterwards');
    expect((await entries()).get('afterwards')).toBe(3);
  }, 60_000);

  it.concurrent('finishes transactions and reads in spite of cuts, each exactly once', async (context) => {
    const { proxy, open, entries } = await network(context);
    const told = { retried: 0, gaveUp: 0 };
    const observer: DatabaseObserver = {
      called() {},
      retried: () => void told.retried++,
      gaveUp: () => void told.gaveUp++,
    };
    const connection = open({ observer });
    // One after the other: a cut meets no other transaction amid its COMMIT, whose outcome nobody could know.
    for (let i = 0; i < 9; i++) {
      const name = `patient-${i}`;
      let tries = 0;
      await connection.sql.begin(async (tx) => {
        await tx`insert into ledger (name, part) values (${name}, 1)`;
        if (i % 3 === 0 && ++tries === 1) proxy.cut(i % 2 ? 'end' : 'reset');
        await tx`insert into ledger (name, part) values (${name}, 2)`;
      });
      const reading = connection.sql`select count(*)::int as n from ledger where name = ${name}`;
      if (i % 3 === 1) proxy.cut(i % 2 ? 'end' : 'reset');
      const [row] = await reading;
      expect(row?.n).toBe(2);
    }
    const found = await entries();
    expect([...found.values()]).toEqual(Array(9).fill(2));
    expect(told.retried).toBeGreaterThanOrEqual(4);
    expect(told.gaveUp).toBe(0);
  }, 60_000);

  it.concurrent('tries again when the server has ended its session, or another transaction was in the way', async (context) => {
    const { direct, open } = await network(context);
    const connection = open();
    await direct.sql`insert into ledger (name, part) values ('a', 0), ('b', 0)`;
    let tries = 0;
    await connection.sql.begin(async (tx) => {
      const [row] = await tx`select pg_backend_pid() as pid`;
      await tx`update ledger set part = part + 1 where name = 'a'`;
      if (++tries === 1) await direct.sql`select pg_terminate_backend(${row?.pid})`;
      await tx`update ledger set part = part + 1 where name = 'b'`;
    });
    expect(tries).toBe(2);

    // Each holds what the other one wants.
    const lock = (first: string, second: string, meet: () => Promise<void>) =>
      connection.sql.begin(async (tx) => {
        await tx`update ledger set part = part + 10 where name = ${first}`;
        await meet();
        await tx`update ledger set part = part + 10 where name = ${second}`;
      });
    const meet = meeting(2);
    await Promise.all([lock('a', 'b', meet), lock('b', 'a', meet)]);
    const rows = await direct.sql`select name, part from ledger order by name`;
    expect(rows.map(({ part }) => part)).toEqual([21, 21]);
  }, 30_000);

  it.concurrent('stops in time when the database has fallen silent', async (context) => {
    const { proxy, open } = await network(context);
    const connection = open();
    await connection.sql`select 1`;
    await proxy.mode('silent');
    const call = connection.sql`select 1`.catch((error: unknown) => error);
    const began = performance.now();
    await connection.stop();
    expect(performance.now() - began).toBeLessThan(12_000);
    expect(await call).toBeInstanceOf(DatabaseError);
  }, 20_000);

  it('does not repeat a change whose answer was lost', async (context) => {
    const { proxy, open, entries } = await network(context);
    const connection = open();
    await connection.sql`select 1`;
    proxy.cutAfter(1, 'reset');
    const insert = connection.sql.unsafe(`insert into ledger (name, part) values ('lost', 1)`);
    await expect(insert).rejects.toMatchObject({ name: 'DatabaseError', fault: 'uncertain' });
    expect(await entries()).toEqual(new Map([['lost', 1]]));
  });

  it('uses no connection that has died without a word, and so loses no change to it', async (context) => {
    const { proxy, open, entries } = await network(context);
    const connection = open();
    await connection.sql`select 1`;
    await delay(600);
    proxy.cut('reset');
    // No event has told the driver yet when the next statement comes.
    await enter(connection, 'after');
    expect((await entries()).get('after')).toBe(1);
  });

  it('waits for no answer for ever: what is accepted and never answered fails in time', async (context) => {
    const { proxy, open, entries } = await network(context);
    const patience: Patience = { ...patienceOf('trial'), connectMs: 300, answerMs: 300 };
    const connection = open({ patience });
    await connection.sql`select 1`;
    await proxy.mode('silent');
    const began = performance.now();
    for (const call of [() => connection.sql`select 1`, () => enterThree(connection, 'never')]) {
      const error = await call().then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toMatchObject({ name: 'DatabaseError', fault: 'away', code: 'NO_ANSWER' });
    }
    expect(performance.now() - began).toBeLessThan(5_000);
    await proxy.mode('through');
    await expect.poll(() => enterThree(connection, 'again').catch(() => undefined)).toBe('again');
    expect(await entries()).toEqual(new Map([['again', 3]]));
  });

  it('does not ask a server that ends connections at once more often than it says', async (context) => {
    const { proxy, open } = await network(context);
    await proxy.mode('closing');
    const connection = open({ patience: { ...patienceOf('background'), retryWithinMs: 1 } });
    const error = await connection.sql`select 1`.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      fault: 'away',
      code: expect.stringMatching(/CONNECTION_CLOSED|ECONNRESET/),
    });
  });

  it('answers who is in haste within seconds, and at once when the outage is known', async (context) => {
    const { proxy, open } = await network(context);
    const connection = open();
    await proxy.mode('refusing');
    const ask = async () => {
      const began = performance.now();
      const error = await inHaste(async () => await connection.sql`select 1`).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).toMatchObject({ fault: 'away' });
      return performance.now() - began;
    };
    expect(await ask()).toBeLessThan(4_000);
    expect(await ask()).toBeLessThan(100);
    await proxy.mode('through');
    await expect
      .poll(
        () =>
          inHaste(async () => await connection.sql`select 1`).then(
            () => true,
            () => false,
          ),
        {
          timeout: 10_000,
        },
      )
      .toBe(true);
  }, 20_000);

  it('says once that the database is away, and once that it is back', async (context) => {
    const { proxy, open } = await network(context);
    const lines: { level: number; msg: string; reason?: string; tries?: number }[] = [];
    const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
    const connection = open({ log, patience: { ...patienceOf('trial') } });
    await connection.sql`select 1`;
    await proxy.mode('refusing');
    for (let i = 0; i < 200; i++) await connection.sql`select 1`.catch(() => {});
    const refused = lines.filter(({ reason }) => reason?.includes('ECONNREFUSED'));
    expect(refused).toMatchObject([
      { msg: 'the database does not answer; what is on air goes on' },
      { msg: 'a database call was given up', operation: 'asking the database', tries: 1 },
    ]);
    // One more at most: of the call that found the connection lost.
    expect(lines.length).toBeLessThanOrEqual(3);
    await proxy.mode('through');
    await expect.poll(() => lines.at(-1)?.msg, { timeout: 10_000 }).toBe('the database answers again');
  }, 20_000);
});

/** Lets the first calls go on when there are so many, and later ones at once. */
function meeting(size: number): () => Promise<void> {
  let come = 0;
  let open = () => {};
  const all = new Promise<void>((done) => {
    open = done;
  });
  return async () => {
    if (++come >= size) open();
    await all;
  };
}
