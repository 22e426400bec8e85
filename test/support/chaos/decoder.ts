import { execa } from 'execa';

/** Decodes a stream while it comes and keeps what the decoder complains about. */
export class Decoder {
  private readonly ffmpeg = execa(
    process.env.AIRCHECK_FFMPEG_PATH ?? 'ffmpeg',
    ['-nostdin', '-v', 'error', '-f', 'mpegts', '-i', 'pipe:0', '-f', 'null', '-'],
    { stdin: 'pipe', stdout: 'ignore', buffer: false, reject: false },
  );
  /** The first ones. */
  readonly complaints: string[] = [];

  constructor() {
    this.ffmpeg.stdin.on('error', () => {});
    this.ffmpeg.stderr.on('data', (bytes: Buffer) => {
      if (this.complaints.length < 20) this.complaints.push(...bytes.toString().trim().split('\n'));
    });
  }

  push(bytes: Buffer): void {
    this.ffmpeg.stdin.write(bytes);
  }

  /** Resolves when all that came has been decoded. */
  async end(): Promise<string[]> {
    this.ffmpeg.stdin.end();
    const { exitCode } = await this.ffmpeg;
    if (exitCode !== 0) this.complaints.push(`the decoder ended with code ${exitCode}`);
    return this.complaints;
  }
}
