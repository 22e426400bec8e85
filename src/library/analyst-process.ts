import { type Analysis, type AnalysisJob, type AnalysisOptions, analyseFile } from './analyse.ts';
import { serveJobs } from './helper-jobs.ts';

/** The program of the process that measures media. */

export interface AnalystTask {
  job: AnalysisJob;
  options: Omit<AnalysisOptions, 'signal'>;
}

serveJobs<AnalystTask, Analysis>(({ job, options }, signal) => analyseFile(job, { ...options, signal }));
