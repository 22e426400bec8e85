import type { ProbeOptions } from '../ffmpeg/probe.ts';
import { serveJobs } from './helper-jobs.ts';
import { type Inspection, type InspectionJob, inspectFile } from './inspect.ts';

/** The program of the inspector's process. */

export interface InspectorTask {
  job: InspectionJob;
  options: Omit<ProbeOptions, 'signal'>;
}

serveJobs<InspectorTask, Inspection>(({ job, options }, signal) => inspectFile(job, { ...options, signal }));
