import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { execa } from 'execa';
import PQueue from 'p-queue';
import type { Logger } from 'pino';
import { messageOf, ProcessError } from '../errors.ts';
import { silenceArguments, slateArguments } from '../ffmpeg/arguments.ts';
import type { ProfileSpec } from '../ffmpeg/profile.ts';
import type { AccessUnit } from '../mpegts/access-unit.ts';
import { splitAdts } from '../mpegts/adts.ts';
import { Demuxer } from '../mpegts/demuxer.ts';

/** What a channel of one profile sends when there is nothing else: pre-rendered, so it costs no process. */
export interface Slate {
  video: readonly AccessUnit[];
  audio: readonly AccessUnit[];
  /** One ADTS frame of silence. */
  silence: Buffer;
}

const slateSeconds = 4;
const renderTimeoutMs = 60_000;
/** A slate that could not be made is not tried again before. */
const retryMs = 60_000;

/** Where systems keep the font of the slate's text. */
export const slateFonts = [
  '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf',
  '/usr/share/fonts/dejavu/DejaVuSans.ttf',
  '/usr/share/fonts/TTF/DejaVuSans.ttf',
  '/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf',
];

/** Renders each profile's slates once, one after the other, keeps them in the data folder and in memory. */
export class SlateStore {
  private readonly slates = new Map<string, Promise<Slate>>();
  private readonly ready = new Map<string, Slate>();
  private readonly failedAt = new Map<string, number>();
  private readonly renders = new PQueue({ concurrency: 1 });

  constructor(private readonly deps: { folder: string; ffmpegPath: string; log: Logger }) {}

  /** The slate, when it is there already. */
  peek(profile: ProfileSpec, caption?: string): Slate | undefined {
    return this.ready.get(keyOf(profile, caption));
  }

  /** The slate; rendered first when it has to be. Throws ProcessError. */
  get(profile: ProfileSpec, caption?: string): Promise<Slate> {
    const key = keyOf(profile, caption);
    const known = this.slates.get(key);
    if (known !== undefined) return known;
    const made = this.make(profile, caption, key).then((slate) => {
      this.ready.set(key, slate);
      return slate;
    });
    this.slates.set(key, made);
    // A failure is not kept: the next one tries again.
    made.catch(() => this.slates.delete(key));
    return made;
  }

  /** The slate with a caption, when it is there; if not, it is made, and will be there another time. */
  captioned(profile: ProfileSpec, caption: string): Slate | undefined {
    const key = keyOf(profile, caption);
    const slate = this.ready.get(key);
    if (slate !== undefined || this.slates.has(key)) return slate;
    if (performance.now() - (this.failedAt.get(key) ?? Number.NEGATIVE_INFINITY) < retryMs) return undefined;
    this.get(profile, caption).catch((error: unknown) => {
      this.failedAt.set(key, performance.now());
      this.deps.log.warn({ err: error, caption }, 'a slate could not be made; the plain one is shown');
    });
    return undefined;
  }

  private async make(profile: ProfileSpec, caption: string | undefined, key: string): Promise<Slate> {
    const font = slateFonts.find((file) => existsSync(file));
    const picture = await this.kept(`${key}.ts`, async () => {
      const plain = () => this.render(slateArguments(profile, slateSeconds, undefined));
      if (font === undefined) return plain();
      return this.render(slateArguments(profile, slateSeconds, { font, caption })).catch((error) => {
        this.deps.log.warn(
          { reason: messageOf(error) },
          'the slate has no text: this ffmpeg cannot draw any',
        );
        return plain();
      });
    });
    const silence = await this.kept(`${keyOf(profile, undefined)}.aac`, () =>
      this.render(silenceArguments(profile)),
    );
    return parseSlate(picture, silence, profile);
  }

  private async kept(name: string, make: () => Promise<Buffer>): Promise<Buffer> {
    const file = join(this.deps.folder, name);
    if (existsSync(file)) return readFile(file);
    const bytes = await make();
    try {
      await mkdir(this.deps.folder, { recursive: true });
      await writeFile(`${file}.part`, bytes);
      await rename(`${file}.part`, file);
    } catch (error) {
      // It is only kept to spare the next start the work.
      this.deps.log.warn({ reason: messageOf(error), file }, 'a slate could not be kept; this run has it');
    }
    return bytes;
  }

  private async render(args: string[]): Promise<Buffer> {
    try {
      const result = await this.renders.add(() =>
        execa(this.deps.ffmpegPath, args, { encoding: 'buffer', stdin: 'ignore', timeout: renderTimeoutMs }),
      );
      return Buffer.from(result.stdout);
    } catch (error) {
      throw new ProcessError(`ffmpeg could not make the slate: ${messageOf(error).slice(0, 500)}`, {
        operation: 'rendering the slate',
        cause: error,
      });
    }
  }
}

function keyOf(profile: ProfileSpec, caption: string | undefined): string {
  const args = [...slateArguments(profile, slateSeconds, undefined), ...silenceArguments(profile), caption];
  return createHash('sha256').update(JSON.stringify(args)).digest('hex').slice(0, 16);
}

function parseSlate(picture: Buffer, silence: Buffer, profile: ProfileSpec): Slate {
  const demuxer = new Demuxer(profile.audio.sampleRate);
  const units = [...demuxer.push(picture), ...demuxer.flush()];
  const video = units.filter((unit) => unit.stream === 'video');
  const audio = units.filter((unit) => unit.stream === 'audio');
  // The first frames of an encoder still hold what was before them.
  const quiet = splitAdts(silence)[4];
  if (!video[0]?.key || audio.length < 4 || quiet === undefined) {
    throw new ProcessError('The slate that ffmpeg made cannot be used; delete it and start again.', {
      operation: 'reading the slate',
    });
  }
  return { video, audio: audio.slice(2), silence: quiet };
}
