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
  credits?: Credits;
}

/** Who made it, each kind in the order in which they are named. */
export interface Credits {
  directors?: string[];
  actors?: Actor[];
  writers?: string[];
}

export interface Actor {
  name: string;
  role?: string;
}
