import { constants } from 'node:fs';
import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { messageOf } from '../errors.ts';
import type { Check, Finding } from './check.ts';
import { namesIn, runFfmpeg } from './run-ffmpeg.ts';

/** ffmpeg's H.264 encoders that run on hardware, each with what it wants before and behind the picture. */
const hardwareEncoders: Record<string, { input: (device: string) => string[]; filter: string }> = {
  h264_vaapi: { input: (device) => ['-vaapi_device', device], filter: 'format=nv12,hwupload' },
  h264_qsv: { input: () => [], filter: 'format=nv12' },
  h264_nvenc: { input: () => [], filter: 'format=yuv420p' },
  h264_amf: { input: () => [], filter: 'format=yuv420p' },
  h264_videotoolbox: { input: () => [], filter: 'format=yuv420p' },
  h264_v4l2m2m: { input: () => [], filter: 'format=yuv420p' },
};

const devices = '/dev/dri';

/** What hardware could help with encoding. Channels are encoded by the processor, so that nothing here is wrong. */
export function accelerationCheck({ path }: Config['ffmpeg'], deviceFolder = devices): Check {
  const subject = 'acceleration';
  return {
    subject,
    deadlineMs: 60_000,
    run: async (signal) => {
      const [methods, encoders] = await Promise.all([
        runFfmpeg(path, ['-hide_banner', '-hwaccels'], signal),
        runFfmpeg(path, ['-hide_banner', '-encoders'], signal),
      ]);
      if (methods.failed || encoders.failed) {
        return { subject, verdict: 'skipped', found: 'there is no ffmpeg to ask' };
      }
      const device = await openDevice(deviceFolder);
      const there = namesIn(encoders.stdout.toString('utf8'));
      const results: string[] = [];
      for (const [encoder, { input, filter }] of Object.entries(hardwareEncoders)) {
        if (!there.has(encoder)) continue;
        if (encoder === 'h264_vaapi' && device.path === undefined) continue;
        const args = trialArguments(encoder, input(device.path ?? ''), filter);
        const trial = await runFfmpeg(path, args, AbortSignal.any([signal, AbortSignal.timeout(10_000)]));
        results.push(trial.failed ? `${encoder} does not work` : `${encoder} works`);
      }
      return findingOf(subject, accelerationNames(methods.stdout.toString('utf8')), results, device);
    },
  };
}

/** The lines below the heading of `ffmpeg -hwaccels`. */
function accelerationNames(list: string): string[] {
  return list
    .split('\n')
    .slice(1)
    .map((line) => line.trim())
    .filter((name) => name !== '');
}

interface Device {
  /** Of a render node that may be opened. */
  path?: string;
  found: string;
  remedy?: string;
}

async function openDevice(folder: string): Promise<Device> {
  if (process.platform !== 'linux') return { found: `${process.platform} has no ${folder}` };
  const names = await readdir(folder).catch((): string[] => []);
  const nodes = names.filter((name) => name.startsWith('renderD')).sort();
  if (nodes.length === 0) return { found: `no graphics device in ${folder}` };
  const refusals: string[] = [];
  for (const node of nodes) {
    const path = join(folder, node);
    const refusal = await access(path, constants.R_OK | constants.W_OK).then(() => undefined, messageOf);
    if (refusal === undefined) return { path, found: `${path} can be opened` };
    refusals.push(refusal);
  }
  return {
    found: `a graphics device that cannot be opened (${refusals[0]})`,
    remedy:
      'To let ffmpeg use it, add the user of the server to the group "render" (with Docker: --device /dev/dri).',
  };
}

function trialArguments(encoder: string, input: string[], filter: string): string[] {
  return [
    ...['-nostdin', '-hide_banner', '-loglevel', 'error', ...input],
    ...['-f', 'lavfi', '-i', 'color=s=640x360:r=30', '-vf', filter, '-frames:v', '10'],
    ...['-c:v', encoder, '-f', 'null', '-'],
  ];
}

function findingOf(subject: string, methods: string[], results: string[], device: Device): Finding {
  const known = methods.length === 0 ? 'ffmpeg knows none' : `ffmpeg knows ${methods.join(', ')}`;
  const tried = results.length === 0 ? 'no encoder to try' : results.join(', ');
  const found = `${known}; ${device.found}; ${tried}.\nChannels are encoded by the processor; this is for information.`;
  return { subject, verdict: 'note', found, ...(device.remedy && { remedy: device.remedy }) };
}
