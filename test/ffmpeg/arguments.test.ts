import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type EncodeRequest,
  encodeArguments,
  isCopyable,
  silenceArguments,
  slateArguments,
} from '../../src/ffmpeg/arguments.ts';
import { probeFile } from '../../src/ffmpeg/probe.ts';
import type { ProfileSpec } from '../../src/ffmpeg/profile.ts';
import type { AudioStream, MediaProbe, VideoStream } from '../../src/library/media.ts';
import { splitAdts } from '../../src/mpegts/adts.ts';
import { commandLine, complaintsOf, ffmpeg, ffprobe, ffprobePath } from '../mpegts/real-ffmpeg.ts';
import { analyse, steps, type TransportStream } from '../support/transport-stream.ts';

const profile: ProfileSpec = {
  video: {
    codec: 'h264',
    width: 320,
    height: 180,
    frameRate: { num: 25, den: 1 },
    bitrateKbps: 400,
    preset: 'superfast',
    keyframeMs: 1000,
  },
  audio: { codec: 'aac', sampleRate: 48_000, channels: 2, bitrateKbps: 96 },
};

const video: VideoStream = {
  index: 0,
  codec: 'h264',
  profile: 'High',
  width: 320,
  height: 180,
  sampleAspect: { num: 1, den: 1 },
  pixelFormat: 'yuv420p',
  durationMs: 60_000,
  frameRate: { num: 25, den: 1 },
  lowestRate: { num: 25, den: 1 },
  interlaced: false,
  reorderDepth: 2,
};

const audio: AudioStream = { index: 1, codec: 'aac', profile: 'LC', sampleRate: 48_000, channels: 2 };

const probe: MediaProbe = { format: 'matroska,webm', durationMs: 60_000, video, audio, chaptersMs: [] };

function request(special: Partial<EncodeRequest> = {}): EncodeRequest {
  return {
    path: '/media/a.mkv',
    probe,
    profile,
    fromMs: 0,
    frames: 1500,
    copy: false,
    manyEntries: false,
    threads: 0,
    ...special,
  };
}

/** Each option with its value on a line of its own. */
function shown(args: readonly string[]): string {
  return args.reduce((text, arg, index) => {
    const value = index > 0 && args[index - 1]!.startsWith('-') && !/^-[a-z_]/.test(arg);
    return text + (index === 0 ? '' : value ? ' ' : '\n') + arg;
  }, '');
}

describe('the arguments', () => {
  it('of an encode', () => {
    expect(shown(encodeArguments(request()))).toMatchInlineSnapshot(`
      "-nostdin
      -hide_banner
      -loglevel error
      -nostats
      -protocol_whitelist file
      -format_whitelist matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mpegts,mpeg,avi,aac,asf,flac,flv,live_flv,mp3,ogg,mxf,nut,rm,wtv,dv,gxf,nsv,ivf,pva,ty,wav,w64
      -i file:/media/a.mkv
      -filter_complex [0:0]fps=25/1:start_time=0,scale=320:180,pad=320:180:-1:-1,setsar=1,format=yuv420p,tpad=stop_mode=clone:stop_duration=2[v];[0:1]aresample=48000:async=1000:first_pts=0,aformat=sample_fmts=fltp:channel_layouts=stereo,apad[a]
      -map [v]
      -map [a]
      -t 60.010000
      -sn
      -dn
      -c:v libx264
      -preset superfast
      -profile:v high
      -bf 0
      -g 25
      -keyint_min 25
      -sc_threshold 0
      -flags +cgop
      -forced-idr 1
      -b:v 400k
      -maxrate 400k
      -bufsize 800k
      -threads 0
      -c:a aac
      -b:a 96k
      -ar 48000
      -ac 2
      -map_metadata -1
      -map_chapters -1
      -f mpegts
      -mpegts_start_pid 256
      -mpegts_pmt_start_pid 4096
      -muxdelay 0
      -muxpreload 0
      -flush_packets 1
      pipe:1"
    `);
  });

  it('of a join in the middle: it is sought before it is opened, and can be entered soon', () => {
    const args = encodeArguments(request({ fromMs: 61_234.5, frames: 250, manyEntries: true, threads: 2 }));
    expect(shown(args)).toMatchInlineSnapshot(`
      "-nostdin
      -hide_banner
      -loglevel error
      -nostats
      -ss 61.234
      -protocol_whitelist file
      -format_whitelist matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mpegts,mpeg,avi,aac,asf,flac,flv,live_flv,mp3,ogg,mxf,nut,rm,wtv,dv,gxf,nsv,ivf,pva,ty,wav,w64
      -i file:/media/a.mkv
      -filter_complex [0:0]fps=25/1:start_time=0,scale=320:180,pad=320:180:-1:-1,setsar=1,format=yuv420p,tpad=stop_mode=clone:stop_duration=2[v];[0:1]aresample=48000:async=1000:first_pts=0,aformat=sample_fmts=fltp:channel_layouts=stereo,apad[a]
      -map [v]
      -map [a]
      -t 10.010000
      -sn
      -dn
      -c:v libx264
      -preset superfast
      -profile:v high
      -bf 0
      -g 25
      -keyint_min 25
      -sc_threshold 0
      -flags +cgop
      -forced-idr 1
      -b:v 400k
      -maxrate 400k
      -bufsize 800k
      -threads 2
      -force_key_frames expr:if(lt(t,2),gte(t,n_forced*0.25),gte(t,2+(n_forced-8)*1))
      -c:a aac
      -b:a 96k
      -ar 48000
      -ac 2
      -map_metadata -1
      -map_chapters -1
      -f mpegts
      -mpegts_start_pid 256
      -mpegts_pmt_start_pid 4096
      -muxdelay 0
      -muxpreload 0
      -flush_packets 1
      pipe:1"
    `);
    expect(args.indexOf('-ss')).toBeLessThan(args.indexOf('-i'));
  });

  it('of an encode that is made louder or quieter', () => {
    const sound = (gainDb: number) =>
      encodeArguments(request({ gainDb }))
        .find((arg) => arg.includes('[a]'))
        ?.split(';')[1];
    expect(sound(-3.2)).toMatchInlineSnapshot(
      `"[0:1]aresample=48000:async=1000:first_pts=0,aformat=sample_fmts=fltp:channel_layouts=stereo,volume=-3.2dB,apad[a]"`,
    );
    expect(sound(7)).toMatchInlineSnapshot(
      `"[0:1]aresample=48000:async=1000:first_pts=0,aformat=sample_fmts=fltp:channel_layouts=stereo,volume=7.0dB,apad[a]"`,
    );
    expect(sound(0)).not.toContain('volume');
    const { audio: _, ...silent } = probe;
    expect(encodeArguments(request({ probe: silent, gainDb: 7 }))).toEqual(
      encodeArguments(request({ probe: silent })),
    );
  });

  it('of a copy that is made louder: the picture is copied, and the sound begins where it does', () => {
    const args = encodeArguments(request({ copy: true, fromMs: 4_000, frames: 250, gainDb: 2.5 }));
    expect(shown(args)).toMatchInlineSnapshot(`
      "-nostdin
      -hide_banner
      -loglevel error
      -nostats
      -copyts
      -start_at_zero
      -noaccurate_seek
      -ss 4.000
      -protocol_whitelist file
      -format_whitelist matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mpegts,mpeg,avi,aac,asf,flac,flv,live_flv,mp3,ogg,mxf,nut,rm,wtv,dv,gxf,nsv,ivf,pva,ty,wav,w64
      -i file:/media/a.mkv
      -map 0:0
      -map 0:1
      -c:v copy
      -af aresample=async=1000,aformat=sample_fmts=fltp:channel_layouts=stereo,volume=2.5dB
      -c:a aac
      -b:a 96k
      -ar 48000
      -ac 2
      -to 14.010000
      -max_interleave_delta 1000000
      -avoid_negative_ts disabled
      -map_metadata -1
      -map_chapters -1
      -f mpegts
      -mpegts_start_pid 256
      -mpegts_pmt_start_pid 4096
      -muxdelay 0
      -muxpreload 0
      -flush_packets 1
      pipe:1"
    `);
  });

  it('of media without sound make silence', () => {
    const { audio: _, ...silent } = probe;
    expect(
      shown(encodeArguments(request({ probe: silent })))
        .split('\n')
        .find((line) => line.startsWith('-filter')),
    ).toMatchInlineSnapshot(
      `"-filter_complex [0:0]fps=25/1:start_time=0,scale=320:180,pad=320:180:-1:-1,setsar=1,format=yuv420p,tpad=stop_mode=clone:stop_duration=2[v];anullsrc=r=48000,aformat=sample_fmts=fltp:channel_layouts=stereo[a]"`,
    );
  });

  it('of media without a picture make a black one', () => {
    const { video: _, ...dark } = probe;
    expect(
      shown(encodeArguments(request({ probe: dark })))
        .split('\n')
        .find((line) => line.startsWith('-filter')),
    ).toMatchInlineSnapshot(
      `"-filter_complex color=c=black:s=320x180:r=25/1,format=yuv420p[v];[0:1]aresample=48000:async=1000:first_pts=0,aformat=sample_fmts=fltp:channel_layouts=stereo,apad[a]"`,
    );
  });

  it('of an anamorphic 4:3 give it its shape, and bars', () => {
    const wide = {
      ...probe,
      video: { ...video, width: 720, height: 576, sampleAspect: { num: 16, den: 15 } },
    };
    expect(filterOf(request({ probe: wide }))).toContain('scale=240:180,pad=320:180:-1:-1,setsar=1');
  });

  it('of something wider than the profile leave room above and below, in even numbers', () => {
    const wide = { ...probe, video: { ...video, width: 1920, height: 800 } };
    expect(filterOf(request({ probe: wide }))).toContain('scale=320:134,pad=320:180:-1:-1,setsar=1');
  });

  it('of interlaced media deinterlace before anything else', () => {
    const interlaced = { ...probe, video: { ...video, interlaced: true } };
    expect(filterOf(request({ probe: interlaced }))).toMatch(/^\[0:0\]yadif=deint=interlaced,fps=25\/1/);
    expect(filterOf(request())).not.toContain('yadif');
  });

  it('name the streams that the probe chose', () => {
    const other = { ...probe, video: { ...video, index: 3 }, audio: { ...audio, index: 5 } };
    expect(filterOf(request({ probe: other }))).toMatch(/^\[0:3\].*\[0:5\]/);
    const copied = encodeArguments(request({ probe: other, copy: true }));
    expect(copied.filter((_, index) => copied[index - 1] === '-map')).toEqual(['0:3', '0:5']);
  });

  it('of a copy', () => {
    expect(
      shown(encodeArguments(request({ copy: true, fromMs: 10_000, frames: 100 }))),
    ).toMatchInlineSnapshot(`
      "-nostdin
      -hide_banner
      -loglevel error
      -nostats
      -copyts
      -start_at_zero
      -ss 10.000
      -protocol_whitelist file
      -format_whitelist matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mpegts,mpeg,avi,aac,asf,flac,flv,live_flv,mp3,ogg,mxf,nut,rm,wtv,dv,gxf,nsv,ivf,pva,ty,wav,w64
      -i file:/media/a.mkv
      -map 0:0
      -map 0:1
      -c copy
      -to 14.010000
      -max_interleave_delta 1000000
      -avoid_negative_ts disabled
      -map_metadata -1
      -map_chapters -1
      -f mpegts
      -mpegts_start_pid 256
      -mpegts_pmt_start_pid 4096
      -muxdelay 0
      -muxpreload 0
      -flush_packets 1
      pipe:1"
    `);
  });

  it('of a slate', () => {
    expect(shown(slateArguments(profile, 4, undefined))).toMatchInlineSnapshot(`
      "-nostdin
      -hide_banner
      -loglevel error
      -nostats
      -f lavfi
      -i color=c=0x1b2330:s=320x180:r=25/1,format=yuv420p
      -f lavfi
      -i sine=frequency=440:sample_rate=48000,volume=-38dB,aformat=sample_fmts=fltp:channel_layouts=stereo
      -map 0:v:0
      -map 1:a:0
      -t 4
      -c:v libx264
      -preset superfast
      -profile:v high
      -bf 0
      -g 13
      -keyint_min 13
      -sc_threshold 0
      -flags +cgop
      -forced-idr 1
      -b:v 400k
      -maxrate 400k
      -bufsize 800k
      -threads 0
      -c:a aac
      -b:a 96k
      -ar 48000
      -ac 2
      -map_metadata -1
      -map_chapters -1
      -f mpegts
      -mpegts_start_pid 256
      -mpegts_pmt_start_pid 4096
      -muxdelay 0
      -muxpreload 0
      -flush_packets 1
      pipe:1"
    `);
    expect(shown(slateArguments(profile, 4, { font: '/fonts/A.ttf' }))).toContain(":fontfile='/fonts/A.ttf'");
  });

  it('of silence', () => {
    expect(shown(silenceArguments(profile))).toMatchInlineSnapshot(`
      "-nostdin
      -hide_banner
      -loglevel error
      -nostats
      -f lavfi
      -i anullsrc=r=48000,aformat=sample_fmts=fltp:channel_layouts=stereo
      -t 0.5
      -c:a aac
      -b:a 96k
      -ar 48000
      -ac 2
      -f adts
      pipe:1"
    `);
  });

  it.each([
    '/-rf x',
    '/media/-i.mkv',
    `/media/a;b"c'd $(e).mkv`,
    '/media/http:a|b.mkv',
    '/media/a%03d.mkv',
    '/media/[v];[a].mkv',
  ])('keep the path %s as one, behind file:', (path) => {
    const plain = encodeArguments(request());
    const args = encodeArguments(request({ path }));
    expect(args[args.indexOf('-i') + 1]).toBe(`file:${path}`);
    expect(args.length).toBe(plain.length);
    expect(args.filter((arg, index) => arg !== plain[index])).toEqual([`file:${path}`]);
  });

  it('ask for a key frame as often as the profile says', () => {
    const spec = (keyframeMs: number, frameRate: { num: number; den: number }) => ({
      ...profile,
      video: { ...profile.video, keyframeMs, frameRate },
    });
    const gopOf = (of: ProfileSpec) => {
      const args = encodeArguments(request({ profile: of }));
      return args[args.indexOf('-g') + 1];
    };
    expect(gopOf(spec(1000, { num: 30_000, den: 1001 }))).toBe('30');
    expect(gopOf(spec(2000, { num: 24_000, den: 1001 }))).toBe('48');
    expect(gopOf(spec(250, { num: 1, den: 1 }))).toBe('1');
  });
});

function filterOf(of: EncodeRequest): string {
  const args = encodeArguments(of);
  return args[args.indexOf('-filter_complex') + 1]!;
}

describe('media can be copied', () => {
  const withVideo = (special: Partial<VideoStream>) => ({ ...probe, video: { ...video, ...special } });
  const withAudio = (special: Partial<AudioStream>) => ({ ...probe, audio: { ...audio, ...special } });
  const without = (key: 'video' | 'audio') => {
    const { [key]: _, ...rest } = probe;
    return rest;
  };
  const withoutIn = <T extends object>(of: T, key: keyof T): T => {
    const { [key]: _, ...rest } = of;
    return rest as T;
  };

  it.each<[string, MediaProbe]>([
    ['in the very format of the profile', probe],
    ['with pixels that are square by another name', withVideo({ sampleAspect: { num: 100, den: 100 } })],
    ['with a rate that is the same in other numbers', withVideo({ frameRate: { num: 50, den: 2 } })],
    ['without pictures that wait for others', withVideo({ reorderDepth: 0 })],
    ['with a picture one frame shorter than the file', withVideo({ durationMs: 59_960 })],
  ])('%s', (_, media) => {
    expect(isCopyable(media, profile)).toBe(true);
  });

  it.each<[string, MediaProbe]>([
    ['has no picture', without('video')],
    ['has no sound', without('audio')],
    ['has another codec', withVideo({ codec: 'hevc' })],
    ['has another profile of the codec', withVideo({ profile: 'High 10' })],
    ['has an unknown profile', { ...probe, video: withoutIn(video, 'profile') }],
    ['is wider', withVideo({ width: 322 })],
    ['is less high', withVideo({ height: 178 })],
    ['has ten bits', withVideo({ pixelFormat: 'yuv420p10le' })],
    ['has no known pixels', { ...probe, video: withoutIn(video, 'pixelFormat') }],
    ['has pixels that are not square', withVideo({ sampleAspect: { num: 4, den: 3 } })],
    ['is interlaced', withVideo({ interlaced: true })],
    ['keeps back more pictures than a joint allows for', withVideo({ reorderDepth: 3 })],
    ['has another rate', withVideo({ frameRate: { num: 24, den: 1 } })],
    ['has a rate a thousandth off', withVideo({ frameRate: { num: 25_000, den: 1001 } })],
    ['has a rate that varies', withVideo({ lowestRate: { num: 12, den: 1 } })],
    ['has an unknown rate', { ...probe, video: withoutIn(video, 'frameRate') }],
    ['has a picture that ends before the file', withVideo({ durationMs: 58_000 })],
    ['has a picture of unknown length', { ...probe, video: withoutIn(video, 'durationMs') }],
    ['has another sound codec', withAudio({ codec: 'ac3' })],
    ['has another kind of AAC', withAudio({ profile: 'HE-AAC' })],
    ['has another sampling rate', withAudio({ sampleRate: 44_100 })],
    ['has more channels', withAudio({ channels: 6 })],
  ])('but not when it %s', (_, media) => {
    expect(isCopyable(media, profile)).toBe(false);
  });
});

describe('run by ffmpeg', () => {
  let folder: string;
  const media = new Map<string, { path: string; probe: MediaProbe }>();

  const tone = ['-f', 'lavfi', '-i', 'sine=frequency=330:sample_rate=48000'];
  const picture = (what: string) => ['-f', 'lavfi', '-i', what];
  const fast = ['-c:v', 'libx264', '-preset', 'ultrafast'];
  /** The flash and the beep of every second are at the same instant. */
  const clapper = [
    ...picture("color=c=black:s=320x180:r=25,geq=lum='if(lt(mod(T,1),0.2),235,16)':cb=128:cr=128"),
    ...['-f', 'lavfi', '-i', "aevalsrc=exprs='if(lt(mod(t,1),0.2),sin(2*PI*1000*t),0)':s=48000"],
  ];

  const recipes: Record<string, readonly string[]> = {
    'film.mkv': [
      ...picture('testsrc2=s=480x200:r=24000/1001'),
      ...tone,
      ...fast,
      '-bf',
      '2',
      '-c:a',
      'ac3',
      '-ac',
      '2',
      '-t',
      '6',
    ],
    'ten-bit.mkv': [
      ...picture('testsrc2=s=320x180:r=25'),
      ...tone,
      '-c:v',
      'libx265',
      '-preset',
      'ultrafast',
      '-pix_fmt',
      'yuv420p10le',
      '-x265-params',
      'log-level=error',
      '-c:a',
      'aac',
      '-t',
      '3',
    ],
    'anamorphic.mpg': [
      ...picture('testsrc2=s=720x576:r=25'),
      ...tone,
      '-vf',
      'setsar=16/15',
      '-c:v',
      'mpeg2video',
      '-c:a',
      'mp2',
      '-t',
      '3',
    ],
    'interlaced.mkv': [
      ...picture('testsrc2=s=320x240:r=50'),
      ...tone,
      '-vf',
      'interlace',
      ...fast,
      '-flags',
      '+ildct+ilme',
      '-x264-params',
      'interlaced=1',
      '-c:a',
      'aac',
      '-t',
      '3',
    ],
    'surround.mkv': [
      ...picture('testsrc2=s=320x180:r=30'),
      '-f',
      'lavfi',
      '-i',
      'anoisesrc=r=48000:a=0.1',
      ...fast,
      '-c:a',
      'ac3',
      '-ac',
      '6',
      '-t',
      '3',
    ],
    'mono.mp4': [
      ...picture('testsrc2=s=320x180:r=60'),
      ...tone,
      ...fast,
      '-c:a',
      'aac',
      '-ac',
      '1',
      '-ar',
      '44100',
      '-t',
      '3',
    ],
    'silent.mkv': [...picture('testsrc2=s=320x180:r=25'), ...fast, '-t', '3'],
    'radio.m4a': [...tone, '-c:a', 'aac', '-t', '3'],
    'clapper.mkv': [...clapper, ...fast, '-c:a', 'flac', '-t', '6'],
    'ready.mp4': [
      ...clapper,
      '-c:v',
      'libx264',
      '-preset',
      'veryfast',
      '-profile:v',
      'high',
      '-pix_fmt',
      'yuv420p',
      '-bf',
      '2',
      '-x264-params',
      'open-gop=0:b-pyramid=0:ref=2:scenecut=0',
      '-g',
      '25',
      '-c:a',
      'aac',
      '-ac',
      '2',
      '-t',
      '6',
    ],
    'ready.mkv': ['-i', '{ready.mp4}', '-c', 'copy'],
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aircheck-arguments-'));
    for (const [name, recipe] of Object.entries(recipes)) {
      const path = join(folder, name);
      const args = recipe.map((arg) => arg.replace(/^\{(.*)\}$/, (_, other: string) => join(folder, other)));
      await ffmpeg(['-v', 'error', ...args, path]);
      media.set(name, { path, probe: await probeFile(path, { probePath: ffprobePath, timeoutMs: 20_000 }) });
    }
  }, 120_000);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  type Units = TransportStream['audio']['units'];

  interface Made {
    bytes: Buffer;
    stream: TransportStream;
    command: string;
  }

  async function make(name: string, special: Partial<EncodeRequest>): Promise<Made> {
    const args = encodeArguments(request({ ...media.get(name)!, ...special }));
    const bytes = await ffmpeg(args);
    return { bytes, stream: analyse(bytes), command: commandLine(args) };
  }

  const rates = [
    { num: 24_000, den: 1001 },
    { num: 25, den: 1 },
    { num: 30, den: 1 },
    { num: 60, den: 1 },
  ];

  describe.each(rates)('at $num/$den pictures a second', (frameRate) => {
    const small = { ...profile, video: { ...profile.video, width: 128, height: 96, frameRate } };

    it.each([0, 1234.567, 3000])(
      'makes exactly the pictures that it is asked for from %d ms',
      async (fromMs) => {
        for (const frames of [2, 31, 61]) {
          const { stream, command } = await make('film.mkv', { fromMs, frames, profile: small });
          expect(stream.video.units.length, command).toBe(frames);
          const frameTicks = (90_000 * frameRate.den) / frameRate.num;
          for (const step of steps(stream.video.units))
            expect(Math.abs(step - frameTicks), command).toBeLessThan(1);
          // Sound for the whole of it, and hardly more.
          const sound = stream.audio.units.length * 1920;
          expect(sound, command).toBeGreaterThanOrEqual(frames * frameTicks - 1920);
          expect(sound, command).toBeLessThanOrEqual(frames * frameTicks + 4 * 1920);
        }
      },
    );
  });

  it('makes them all where the media ends before', async () => {
    for (const name of ['film.mkv', 'silent.mkv', 'radio.m4a']) {
      const {
        probe: { durationMs },
      } = media.get(name)!;
      const { stream, command } = await make(name, { fromMs: durationMs - 1000, frames: 60 });
      expect(stream.video.units.length, command).toBe(60);
      expect(stream.audio.units.length * 1920, command).toBeGreaterThanOrEqual(59 * 3600);
    }
  });

  it.each(Object.keys(recipes).filter((name) => name !== 'ready.mkv'))(
    'gives %s the format of the profile',
    async (name) => {
      const { bytes, command } = await make(name, { frames: 50 });
      expect(await complaintsOf(bytes), command).toBe('');
      const { streams } = await ffprobe(bytes, '-count_frames');
      expect(streams, command).toMatchObject([
        {
          codec_name: 'h264',
          profile: 'High',
          id: '0x100',
          width: 320,
          height: 180,
          pix_fmt: 'yuv420p',
          sample_aspect_ratio: '1:1',
          field_order: 'progressive',
          has_b_frames: 0,
          r_frame_rate: '25/1',
          nb_read_frames: '50',
        },
        { codec_name: 'aac', profile: 'LC', id: '0x101', sample_rate: '48000', channels: 2 },
      ]);
    },
  );

  it.each([1, 2, 6] as const)('gives %d channels to a profile that has them', async (channels) => {
    const { bytes, command } = await make('surround.mkv', {
      frames: 25,
      profile: { ...profile, audio: { ...profile.audio, channels } },
    });
    const { streams } = await ffprobe(bytes);
    expect(streams[1]!.channels, command).toBe(channels);
  });

  it('begins with a key frame, and has one where it is asked for and nowhere else', async () => {
    const { stream, command } = await make('film.mkv', { frames: 100 });
    expect(keysOf(stream), command).toEqual([0, 25, 50, 75]);
    const joined = await make('film.mkv', { fromMs: 1500, frames: 100, manyEntries: true });
    const keys = keysOf(joined.stream);
    expect(keys.slice(0, 2), joined.command).toEqual([0, 7]);
    keys.slice(1).forEach((key, index) => {
      const distance = key - keys[index]!;
      expect(distance, joined.command).toBeLessThanOrEqual(key <= 50 ? 7 : 25);
    });
    expect(keys.at(-1)).toBeGreaterThan(70);
  });

  function keysOf(stream: TransportStream): number[] {
    return stream.video.units.flatMap(({ key }, index) => (key ? [index] : []));
  }

  it('takes a path as it is, whatever is in it', async () => {
    for (const name of ['-i.mkv', `a;b"c'd $(e) [v].mkv`, 'a%03d.mkv']) {
      const path = join(folder, name);
      const { path: plain } = media.get('silent.mkv')!;
      await rename(plain, path);
      try {
        const { stream } = await make('silent.mkv', { path, frames: 5 });
        expect(stream.video.units).toHaveLength(5);
      } finally {
        await rename(path, plain);
      }
    }
  });

  /** When a flash begins, and when a beep does, in seconds; a beep by its first loud moment. */
  async function claps(stream: Buffer): Promise<{ flashes: number[]; beeps: number[] }> {
    const list = async (filter: string, of: string, pattern: RegExp) => {
      const args = [
        '-v',
        'error',
        '-f',
        'mpegts',
        '-copyts',
        '-i',
        'pipe:0',
        of,
        filter,
        '-map',
        of === '-vf' ? '0:v' : '0:a',
        '-f',
        'null',
        '-',
      ];
      const text = (await ffmpeg(args, stream)).toString('utf8');
      return [...text.matchAll(pattern)].map((match) => Number(match[1]));
    };
    const flashes = await list('blackdetect=d=0.1,metadata=print:file=-', '-vf', /black_end=([\d.]+)/g);
    const beeps = await list(
      'silencedetect=n=-30dB:d=0.1,ametadata=print:file=-',
      '-af',
      /silence_end=([\d.]+)/g,
    );
    return { flashes, beeps };
  }

  it.each([
    ['from the beginning', { fromMs: 0 }],
    ['from the middle', { fromMs: 1500 }],
    ['from a place between two pictures', { fromMs: 1733 }],
  ])('keeps sound and picture together %s', async (_, from) => {
    const { bytes, command } = await make('clapper.mkv', { ...from, frames: 90 });
    const { flashes, beeps } = await claps(bytes);
    expect(flashes.length, command).toBeGreaterThanOrEqual(2);
    expect(beeps.length, command).toBe(flashes.length);
    flashes.forEach((flash, index) => {
      expect(Math.abs(flash - beeps[index]!), command).toBeLessThan(0.04);
    });
  });

  describe('a copy', () => {
    const frameTicks = 3600;

    it.each(['ready.mp4', 'ready.mkv'])('of %s may be made, and is whole', async (name) => {
      const { probe: found } = media.get(name)!;
      expect(isCopyable(found, profile), JSON.stringify(found)).toBe(true);
      const { bytes, stream, command } = await make(name, { copy: true, frames: 150 });
      expect(stream.video.units.length, command).toBe(150);
      expect(await complaintsOf(bytes), command).toBe('');
    });

    it.each(['ready.mp4', 'ready.mkv'])('of %s has every picture that was asked for', async (name) => {
      const whole = await make(name, { copy: true, frames: 150 });
      const zero = whole.stream.video.units[0]!.pts % 2 ** 33;
      for (const [from, frames] of [
        [0, 50],
        [0, 51],
        [0, 52],
        [0, 53],
        [50, 60],
        [50, 61],
        [60, 40],
      ] as const) {
        const { stream, command } = await make(name, { copy: true, fromMs: from * 40, frames });
        const times = stream.video.units.map(({ pts }) => Math.round(((pts % 2 ** 33) - zero) / frameTicks));
        // Its times are those of the media, and it begins at a key frame.
        expect(stream.video.units[0]!.key, command).toBe(true);
        expect([0, 25, 50], command).toContain(times[0]);
        for (let frame = from; frame < from + frames; frame++) {
          expect(times, `picture ${frame} of ${command}`).toContain(frame);
        }
        expect(Math.max(...times), command).toBeLessThanOrEqual(from + frames + 4);
      }
    });

    it('begins at the key frame before the place that was asked for', async () => {
      const { stream, command } = await make('ready.mp4', { copy: true, fromMs: 2700, frames: 50 });
      const [first] = stream.video.units;
      expect(first!.key, command).toBe(true);
      expect(Math.abs(first!.pts - 180_000), command).toBeLessThan(2 * frameTicks);
      expect(Math.abs(stream.audio.units[0]!.pts - first!.pts), command).toBeLessThan(90_000 * 0.8);
      expect(stream.video.units.at(-1)!.pts, command).toBeGreaterThan((2.7 + 1.9) * 90_000);
    });

    it.each(['ready.mp4', 'ready.mkv'])('of %s that is made louder has all of it too', async (name) => {
      for (const [fromMs, frames] of [
        [0, 60],
        [2000, 51],
        [2700, 50],
      ] as const) {
        const plain = await make(name, { copy: true, fromMs, frames });
        const louder = await make(name, { copy: true, fromMs, frames, gainDb: 6 });
        const times = ({ stream }: Made) => stream.video.units.map(({ pts }) => pts);
        expect(times(louder), louder.command).toEqual(times(plain));
        const [from, to] = [plain, louder].map(({ stream }) => stream.audio.units) as [Units, Units];
        // AAC begins with a frame of its own, and sound lasts as long as the picture.
        expect(to[0]!.pts - from[0]!.pts, louder.command).toBeLessThanOrEqual(0);
        expect(from[0]!.pts - to[0]!.pts, louder.command).toBeLessThan(2 * 1920 + 1);
        expect(Math.abs(to.at(-1)!.pts - from.at(-1)!.pts), louder.command).toBeLessThan(2 * 1920 + 1);
        expect(await complaintsOf(louder.bytes), louder.command).toBe('');
      }
    });

    it.each([0, 6])('with a gain of %d dB keeps sound and picture together', async (gainDb) => {
      const { bytes, command } = await make('ready.mp4', { copy: true, fromMs: 0, frames: 140, gainDb });
      const { flashes, beeps } = await claps(bytes);
      expect(flashes.length, command).toBeGreaterThanOrEqual(4);
      flashes.forEach((flash, index) => {
        expect(Math.abs(flash - beeps[index]!), command).toBeLessThan(0.04);
      });
    });
  });

  describe('a slate', () => {
    const font = '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf';
    it.each([undefined, { font }, { font, caption: 'Nothing is scheduled now' }])(
      'decodes, with the text %j',
      async (text) => {
        const args = slateArguments(profile, 4, text);
        const bytes = await ffmpeg(args);
        expect(await complaintsOf(bytes), commandLine(args)).toBe('');
        const stream = analyse(bytes);
        expect(stream.video.units, commandLine(args)).toHaveLength(100);
        expect(keysOf(stream)).toEqual([0, 13, 26, 39, 52, 65, 78, 91]);
      },
    );

    it('takes no caption that a filter graph could misread', () => {
      expect(() => slateArguments(profile, 4, { font, caption: "x':textfile=/etc/passwd" })).toThrow();
    });

    it.each([1, 2, 6] as const)('has a silence of %d channels', async (channels) => {
      const args = silenceArguments({ ...profile, audio: { ...profile.audio, channels } });
      const bytes = await ffmpeg(args);
      const { streams } = await ffprobe(bytes);
      expect(streams, commandLine(args)).toMatchObject([
        { codec_name: 'aac', profile: 'LC', sample_rate: '48000', channels },
      ]);
      expect(splitAdts(bytes).length).toBeGreaterThan(20);
    });
  });
});
