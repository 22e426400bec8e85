import type { LibraryService } from '../library/library-service.ts';
import type { PlayoutService } from '../playout/playout-service.ts';
import type { ImportAnswer, ImportOptions } from './import.ts';

/** Where files are written and read: in the worker thread. */
export interface TransferWorker {
  exportAll(): Promise<Uint8Array<ArrayBuffer>>;
  importAll(request: ImportOptions & { file: Uint8Array<ArrayBuffer> }): Promise<ImportAnswer>;
}

/** Whole channels as files. */
export class TransferService {
  constructor(
    private readonly deps: { worker: TransferWorker; library: LibraryService; playout: PlayoutService },
  ) {}

  /** All libraries, collections, profiles and channels, as YAML in UTF-8. */
  async export(): Promise<Uint8Array<ArrayBuffer>> {
    return await this.deps.worker.exportAll();
  }

  /**
   * Brings in what a file says, all or nothing. When it returns, it is stored and known; new libraries are then
   * scanned and channels are planned, both in the background.
   */
  async import(file: Uint8Array<ArrayBuffer>, options: ImportOptions): Promise<ImportAnswer> {
    const { worker, library, playout } = this.deps;
    const answer = await worker.importAll({ ...options, file });
    if (answer.kind === 'refused' || options.dryRun) return answer;
    for (const added of answer.libraries) library.adopt(added);
    const scans = answer.libraries.map(({ id }) => library.scan(id));
    await playout.channelsChanged(
      answer.channels,
      scans.length === 0 ? undefined : Promise.allSettled(scans),
    );
    return answer;
  }
}
