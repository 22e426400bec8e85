import { basename, extname } from 'node:path/posix';

/** Radio belongs on the air too; its picture is black. */
const extensions = new Set(
  (
    'aac flac m4a mka mp3 oga ogg opus wav wma ' +
    '3g2 3gp asf avi divx dv dvr-ms f4v flv gxf ivf m2t m2ts m4v mk3d mkv mov mp4 mpeg mpg mts mxf nsv nut ' +
    'ogm ogv pva qt rm rmvb tp trp ts ty vob webm wmv wtv'
  ).split(' '),
);

/** Folders of NAS systems, and of what is cut from or added to a film. Trailers and shorts are wanted: as filler. */
const ignoredFolders = new Set([
  '#recycle',
  '@eadir',
  '@recycle',
  '$recycle.bin',
  'behind the scenes',
  'deleted scenes',
  'extras',
  'featurettes',
  'lost+found',
  'sample',
  'samples',
  'system volume information',
]);

/** Samples, cuttings, half downloads, and the tunes that media centres play in their menus. */
const ignoredFile =
  /^theme(-music)?$|^sample$|^sample[-_. ]|[-_. ]sample$|-(behindthescenes|deleted|featurette)$|\.(part|partial|temp|tmp|!qb)$/i;

/** Whether a file's name is that of a recording: by its ending, not hidden, no sample, no half download. */
export function isMediaName(name: string): boolean {
  const extension = extname(name);
  if (name.startsWith('.') || !extensions.has(extension.slice(1).toLowerCase())) return false;
  return !ignoredFile.test(basename(name, extension));
}

export function isIgnoredFolder(name: string): boolean {
  return name.startsWith('.') || ignoredFolders.has(name.toLowerCase());
}

/** Whether the relative path lies in a folder that is not looked into. */
export function isInIgnoredFolder(path: string): boolean {
  return path.split('/').slice(0, -1).some(isIgnoredFolder);
}
