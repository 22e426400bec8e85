import { createRoute, z } from '@hono/zod-openapi';
import { ConflictError, InvalidError } from '../../errors.ts';
import type { ImportAnswer } from '../../transfer/import.ts';
import type { TransferService } from '../../transfer/transfer-service.ts';
import { apiRouter, failures, json } from './shared.ts';

const partSchema = z.object({
  name: z.string(),
  action: z
    .enum(['add', 'replace', 'keep'])
    .openapi({ description: '`keep`: it is there, as the file says' }),
});

const reportSchema = z
  .object({
    dryRun: z.boolean(),
    libraries: z.array(partSchema),
    profiles: z.array(partSchema),
    collections: z.array(partSchema),
    channels: z.array(partSchema).openapi({ description: 'By their numbers' }),
    awaited: z
      .object({ total: z.int(), examples: z.array(z.object({ library: z.string(), path: z.string() })) })
      .openapi({ description: 'Media that no scan has found yet; they take their places once one does' }),
    notes: z.array(z.object({ path: z.string(), message: z.string() })),
  })
  .openapi('ImportReport');

const flag = z
  .enum(['true', 'false'])
  .default('false')
  .transform((value) => value === 'true');

const exportAll = createRoute({
  method: 'get',
  path: '/export',
  tags: ['transfer'],
  summary: 'All libraries, collections, profiles and channels as one YAML file',
  responses: {
    200: { content: { 'application/yaml': { schema: z.string() } }, description: 'The file' },
    ...failures,
  },
});

const importAll = createRoute({
  method: 'post',
  path: '/import',
  tags: ['transfer'],
  summary: 'Bring in what such a file says, all of it or nothing; nothing is ever deleted',
  request: {
    query: z.object({
      dryRun: flag.openapi({ description: 'Change nothing, and say what would be changed' }),
      replace: flag.openapi({
        description: 'Change what is there under the same number or name to what the file says',
      }),
    }),
    body: { required: true, content: { 'application/yaml': { schema: z.string() } } },
  },
  responses: { 200: json(reportSchema, 'What was changed, or would be'), ...failures },
});

export function transferRoutes(deps: { transfer: TransferService }) {
  const app = apiRouter();

  app.openapi(exportAll, async (c) =>
    c.body(await deps.transfer.export(), 200, {
      'content-type': 'application/yaml; charset=utf-8',
      'content-disposition': 'attachment; filename="aircheck.yaml"',
    }),
  );

  app.openapi(importAll, async (c) => {
    const file = new Uint8Array(await c.req.arrayBuffer());
    const answer = await deps.transfer.import(file, c.req.valid('query'));
    if (answer.kind === 'refused') throw refusal(answer);
    return c.json(answer.report, 200);
  });

  return app;
}

function refusal({ reason, problems, more }: ImportAnswer & { kind: 'refused' }): Error {
  const count = problems.length + more;
  const shown = more === 0 ? '' : ` The first ${problems.length} are named.`;
  const options = { operation: 'importing', parts: problems };
  switch (reason) {
    case 'wrong':
      return new InvalidError(`Nothing was imported: ${counted(count)} wrong in the file.${shown}`, options);
    case 'conflict':
      return new ConflictError(
        `Nothing was imported: ${counted(count)} here already and not as in the file. Import with replace=true to change that.${shown}`,
        options,
      );
  }
}

function counted(count: number): string {
  return count === 1 ? 'one thing is' : `${count} things are`;
}
