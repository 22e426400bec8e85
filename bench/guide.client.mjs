// Fetches for guide.mjs, in a process of its own: what reading costs is no part of what serving costs.
import { once } from 'node:events';
import { get } from 'node:http';
import { text } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';

process.on('message', async ({ url, headers, wanted }) => {
  const began = performance.now();
  const request = get(url, { headers });
  const [response] = await once(request, 'response');
  const { statusCode: status, headers: answered } = response;
  const encoding = answered['content-encoding'] ?? 'identity';
  let found;
  let bytes = 0;
  if (wanted === undefined) {
    for await (const chunk of response) bytes += chunk.length;
  } else {
    // As text, to look for something in it.
    const content = encoding === 'gzip' ? response.pipe(createGunzip()) : response;
    const document = await text(content);
    bytes = document.length;
    found = document.split(wanted).length - 1;
  }
  process.send({
    status,
    encoding,
    etag: answered.etag,
    bytes,
    found,
    tookMs: performance.now() - began,
  });
});
