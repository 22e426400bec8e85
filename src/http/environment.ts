import type { HttpBindings } from '@hono/node-server';

/** What the Node adapter gives to every handler. */
export interface HttpEnvironment {
  Bindings: HttpBindings;
}
