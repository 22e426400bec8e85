import { resolve } from 'node:path';

/**
 * Demuxers that a file of the library may open. Playlists (hls, concat, dash, sdp) could make ffmpeg read
 * other files or addresses; pictures and text (image2, png_pipe, tty, subtitles) are no recordings; raw
 * elementary streams have no times.
 */
export const mediaFormats =
  'matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mpegts,mpeg,avi,aac,asf,flac,flv,live_flv,mp3,ogg,mxf,nut,rm,wtv,dv,gxf,nsv,ivf,pva,ty,wav,w64';

/** What belongs before `-i` wherever a file of the library is opened: that file and nothing else. */
export const fileGuard: readonly string[] = [
  '-protocol_whitelist',
  'file',
  '-format_whitelist',
  mediaFormats,
];

/** The file as ffmpeg takes it literally, whatever its name: `-`, `%`, `:`, `?` and `#` have no meaning behind `file:`. */
export function fileUrl(path: string): string {
  return `file:${resolve(path)}`;
}
