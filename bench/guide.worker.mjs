// The thread that writes the guide, for guide.mjs.
import { parentPort, workerData } from 'node:worker_threads';
import { connect } from '../dist/db/connection.js';
import { renderGuide } from '../dist/guide/render.js';

const { db } = connect(workerData, { max: 1 });

parentPort.on('message', async (options) => {
  try {
    const guide = await renderGuide(db, options);
    parentPort.postMessage({ guide }, [guide.body.buffer, guide.gzip.buffer]);
  } catch (error) {
    parentPort.postMessage({ error });
  }
});
