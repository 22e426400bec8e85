// The main module of the thread that reads the log's files: neither their size nor their disk holds up the streams.
import { workerData } from 'piscina';
import type { LogFilter } from './log-filter.ts';
import { type LogContext, LogIndex, type LogPage, type LogQuery, type LogSequel } from './log-index.ts';

export interface LogWorkerData {
  folder: string;
}

const index = new LogIndex((workerData as LogWorkerData).folder);

export function refresh(): void {
  index.refresh();
}

export function find(query: LogQuery): LogPage {
  index.refresh();
  return index.find(query);
}

export function around({ id, count }: { id: string; count: number }): LogContext | undefined {
  index.refresh();
  return index.around(id, count);
}

export function after(request: { id: string; filter: LogFilter; limit: number }): LogSequel {
  index.refresh();
  return index.after(request.id, request.filter, request.limit);
}
