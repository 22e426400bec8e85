/** What is known of a media file beside its streams, from its name and its NFO. */
export interface MediaMetadata {
  kind: 'movie' | 'episode' | 'other';
  title: string;
  show?: string;
  season?: number;
  episode?: number;
  year?: number;
  /** YYYY-MM-DD. */
  aired?: string;
  plot?: string;
  genres?: string[];
  rating?: string;
}
