import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
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

const fonts = [
  '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf',
  '/usr/share/fonts/dejavu/DejaVuSans.ttf',
  '/usr/share/fonts/TTF/DejaVuSans.ttf',
  '/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf',
];

/** Renders each profile's slate once, keeps it in the data folder, and holds it in memory. */
export class SlateStore {
  private readonly slates = new Map<string, Promise<Slate>>();
  private readonly ready = new Map<string, Slate>();

  constructor(private readonly deps: { folder: string; ffmpegPath: string; log: Logger }) {}

  /** The slate, when it is there already. */
  peek(profile: ProfileSpec): Slate | undefined {
    return this.ready.get(keyOf(profile));
  }

  /** The slate; rendered first when it has to be. Throws ProcessError. */
  get(profile: ProfileSpec): Promise<Slate> {
    const key = keyOf(profile);
    const known = this.slates.get(key);
    if (known !== undefined) return known;
    const made = this.make(profile, key).then((slate) => {
      this.ready.set(key, slate);
      return slate;
    });
    this.slates.set(key, made);
    // A failure is not kept: the next one tries again.
    made.catch(() => this.slates.delete(key));
    return made;
  }

  private async make(profile: ProfileSpec, key: string): Promise<Slate> {
    await mkdir(this.deps.folder, { recursive: true });
    const font = fonts.find((file) => existsSync(file));
    const picture = await this.kept(`${key}.ts`, async () => {
      const plain = () => this.render(slateArguments(profile, slateSeconds, undefined));
      if (font === undefined) return plain();
      return this.render(slateArguments(profile, slateSeconds, font)).catch((error) => {
        this.deps.log.warn(
          { reason: messageOf(error) },
          'the slate has no text: this ffmpeg cannot draw any',
        );
        return plain();
      });
    });
    const silence = await this.kept(`${key}.aac`, () => this.render(silenceArguments(profile)));
    return parseSlate(picture, silence, profile);
  }

  private async kept(name: string, make: () => Promise<Buffer>): Promise<Buffer> {
    const file = join(this.deps.folder, name);
    if (existsSync(file)) return readFile(file);
    const bytes = await make();
    await writeFile(`${file}.part`, bytes);
    await rename(`${file}.part`, file);
    return bytes;
  }

  private async render(args: string[]): Promise<Buffer> {
    try {
      const result = await execa(this.deps.ffmpegPath, args, {
        encoding: 'buffer',
        stdin: 'ignore',
        timeout: renderTimeoutMs,
      });
      return Buffer.from(result.stdout);
    } catch (error) {
      throw new ProcessError(`ffmpeg could not make the slate: ${messageOf(error).slice(0, 500)}`, {
        operation: 'rendering the slate',
        cause: error,
      });
    }
  }
}

function keyOf(profile: ProfileSpec): string {
  const args = [...slateArguments(profile, slateSeconds, undefined), ...silenceArguments(profile)];
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
