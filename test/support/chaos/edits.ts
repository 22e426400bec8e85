import { setTimeout as delay } from 'node:timers/promises';
import type { Chaos } from './context.ts';
import { Bag } from './random.ts';
import { Watcher } from './watcher.ts';

const edits = ['rename', 'rebuild', 'rebuild from now', 'passing channel', 'scan'] as const;

/** An admin who never leaves the channels alone, until the run is over. */
export async function editWithoutEnd(chaos: Chaos, pauseMs: [number, number]): Promise<void> {
  const random = chaos.random.for('edits');
  const bag = new Bag(edits, random);
  while (!chaos.over.aborted) {
    const channel = random.pick(chaos.station.channels);
    const edit = bag.take();
    chaos.log.did(edit);
    switch (edit) {
      case 'rename':
        await expectSuccess(chaos, 'PATCH', `/channels/${channel.id}`, { name: `Name ${random.next()}` });
        break;
      case 'rebuild':
        await expectSuccess(chaos, 'POST', `/channels/${channel.id}/rebuild`);
        break;
      case 'rebuild from now':
        await expectSuccess(chaos, 'POST', `/channels/${channel.id}/rebuild`, { from: 'now' });
        break;
      case 'passing channel':
        await passingChannel(chaos, channel.id, String(Math.round(random.between(500, 999))));
        break;
      case 'scan':
        await scan(chaos);
        break;
    }
    await delay(random.between(...pauseMs));
  }
}

async function scan(chaos: Chaos): Promise<void> {
  const libraries = await chaos.api.call('GET', '/libraries');
  if (libraries?.status !== 200) return;
  await expectSuccess(chaos, 'POST', `/libraries/${libraries.body.items[0].id}/scan`);
}

/** Makes a channel, watches it, and deletes it under its viewer, who is then to be let go in order. */
async function passingChannel(chaos: Chaos, likeId: string, number: string): Promise<void> {
  const { api, log, lag, station } = chaos;
  const like = await api.call('GET', `/channels/${likeId}`);
  if (like?.status !== 200) return;
  const { profileId, schedule } = like.body;
  const made = await api.call('POST', '/channels', { number, name: 'Passing', profileId, schedule });
  if (made?.status !== 201) return;
  const watcher = new Watcher(`${station.server.base}/iptv/channel/${made.body.id}.ts`, { lag });
  await Promise.race([watcher.over, delay(2_500)]);
  await removed(chaos, made.body.id);
  await Promise.race([watcher.over, delay(5_000)]);
  if (watcher.status !== undefined) log.answered(watcher.status, 'a tune of a new channel');
  if (watcher.status === 200 && watcher.state !== 'ended') {
    log.fault(`the viewer of a deleted channel was not let go in order: ${watcher.state}`);
  }
  watcher.leave();
}

/** The database may be away just now: it is tried until it works. */
async function removed(chaos: Chaos, channelId: string): Promise<void> {
  const giveUpAt = performance.now() + 90_000;
  while (performance.now() < giveUpAt) {
    const answer = await chaos.api.call('DELETE', `/channels/${channelId}`);
    if (answer?.status === 204 || answer?.status === 404) return;
    await delay(1_000);
  }
  chaos.log.fault('a channel could not be deleted for 90 s');
}

/** Unless something is away that it needs. */
async function expectSuccess(chaos: Chaos, method: string, path: string, body?: unknown): Promise<void> {
  const answer = await chaos.api.call(method, path, body);
  if (answer === undefined || answer.status < 300 || answer.status >= 500) return;
  chaos.log.fault(`${method} /api${path} was answered with ${answer.status}: ${JSON.stringify(answer.body)}`);
}
