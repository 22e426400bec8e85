/** What a sample recording is made of. The mix is deliberate: it is what an old folder of recordings holds. */
export interface Recipe {
  /** The number in the picture clock, 1 to 255. */
  number: number;
  /** Relative to the folder, with `/`. */
  path: string;
  title: string;
  kind: 'movie' | 'episode';
  show?: string;
  season?: number;
  episode?: number;
  year?: number;
  seconds: number;
  video?: RecipeVideo;
  audio?: RecipeAudio;
}

export interface RecipeVideo {
  codec: 'h264' | 'hevc' | 'mpeg4' | 'mpeg2';
  width: number;
  height: number;
  /** Sample aspect ratio; square when absent. */
  sampleAspect?: string;
  /** Frames a second, as ffmpeg writes it. */
  rate: string;
  /** Every other frame is missing in two seconds out of four. */
  uneven?: boolean;
  /** The source filter and what brings it to size. It may be slow at full size, hence the scaling. */
  source: { filter: string; options: string; scale?: 'smooth' | 'blocks' };
}

export interface RecipeAudio {
  codec: 'aac' | 'ac3' | 'mp3' | 'mp2' | 'flac';
  layout: 'mono' | 'stereo' | '5.1';
  toneHz: number;
}

const film = '24000/1001';

export const recipes: readonly Recipe[] = [
  {
    ...episode(1, 'Test Card Hour', 1, 1, 'Colour Bars', 'mkv'),
    seconds: 24,
    video: {
      codec: 'h264',
      width: 1280,
      height: 720,
      rate: '25',
      source: { filter: 'smptehdbars', options: 's=1280x720' },
    },
    audio: { codec: 'aac', layout: 'stereo', toneHz: 262 },
  },
  {
    ...episode(2, 'Test Card Hour', 1, 2, 'Moving Parts', 'mp4'),
    seconds: 20,
    video: {
      codec: 'h264',
      width: 1920,
      height: 1080,
      rate: '30',
      source: { filter: 'testsrc2', options: 's=960x540', scale: 'blocks' },
    },
    audio: { codec: 'aac', layout: 'stereo', toneHz: 294 },
  },
  {
    ...episode(3, 'Test Card Hour', 1, 3, 'The Old Format', 'avi'),
    seconds: 30,
    video: {
      codec: 'mpeg4',
      width: 640,
      height: 480,
      rate: '25',
      source: { filter: 'pal100bars', options: 's=640x480' },
    },
    audio: { codec: 'mp3', layout: 'mono', toneHz: 330 },
  },
  {
    ...episode(4, 'Slow Science', 1, 1, 'Deep Zoom', 'mkv'),
    seconds: 22,
    video: {
      codec: 'hevc',
      width: 960,
      height: 540,
      rate: film,
      source: { filter: 'mandelbrot', options: 's=240x135', scale: 'smooth' },
    },
    audio: { codec: 'ac3', layout: '5.1', toneHz: 349 },
  },
  {
    ...episode(5, 'Slow Science', 1, 2, 'Growing in a Dish', 'ts'),
    seconds: 35,
    video: {
      codec: 'mpeg2',
      width: 720,
      height: 576,
      sampleAspect: '16/15',
      rate: '25',
      source: {
        filter: 'life',
        options: 's=90x72:seed=7:mold=20:life_color=#a0e0a0:death_color=#305040:mold_color=#101820',
        scale: 'blocks',
      },
    },
    audio: { codec: 'mp2', layout: 'stereo', toneHz: 392 },
  },
  {
    ...episode(6, 'Slow Science', 2, 1, 'Uneven Steps', 'mkv'),
    seconds: 26,
    video: {
      codec: 'h264',
      width: 854,
      height: 480,
      rate: '30',
      uneven: true,
      source: { filter: 'testsrc2', options: 's=854x480' },
    },
    audio: { codec: 'aac', layout: 'mono', toneHz: 415 },
  },
  {
    ...movie(7, 'The Long Tone', 1998, 'mp4'),
    seconds: 40,
    video: {
      codec: 'h264',
      width: 1440,
      height: 600,
      rate: film,
      source: { filter: 'gradients', options: 's=180x75:seed=3:speed=0.02', scale: 'smooth' },
    },
    audio: { codec: 'aac', layout: '5.1', toneHz: 440 },
  },
  {
    ...movie(8, 'The Quiet Projector', 1927, 'mkv'),
    seconds: 28,
    video: {
      codec: 'h264',
      width: 854,
      height: 480,
      rate: '25',
      source: {
        filter: 'gradients',
        options: 's=214x120:c0=black:c1=gray:seed=9:speed=0.01',
        scale: 'smooth',
      },
    },
  },
  {
    ...movie(9, 'Sixty a Second', 2012, 'mp4'),
    seconds: 20,
    video: {
      codec: 'h264',
      width: 1280,
      height: 720,
      rate: '60',
      source: { filter: 'testsrc2', options: 's=640x360', scale: 'blocks' },
    },
    audio: { codec: 'aac', layout: 'stereo', toneHz: 494 },
  },
  {
    ...movie(10, 'Night Radio', 1938, 'mka'),
    seconds: 30,
    audio: { codec: 'flac', layout: 'stereo', toneHz: 523 },
  },
];

function episode(number: number, show: string, season: number, episode: number, title: string, ext: string) {
  const code = `S${two(season)}E${two(episode)}`;
  const path = `${show}/Season ${two(season)}/${show} - ${code} - ${title}.${ext}`;
  return { number, path, title, kind: 'episode' as const, show, season, episode };
}

function movie(number: number, title: string, year: number, ext: string) {
  const name = `${title} (${year})`;
  return { number, path: `${name}/${name}.${ext}`, title, kind: 'movie' as const, year };
}

function two(n: number): string {
  return String(n).padStart(2, '0');
}
