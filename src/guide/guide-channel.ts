import type { ProfileSpec } from '../ffmpeg/profile.ts';

/** What players are told about a channel. */
export interface GuideChannel {
  id: string;
  /** A decimal string: "5", "5.1". */
  number: string;
  name: string;
  group: string;
  logoUrl: string | undefined;
  /** The channel's id in M3U and XMLTV. */
  guideId: string;
  enabled: boolean;
  /** What it is called while it is off air, if not by its name. */
  offlineTitle?: string | undefined;
  profile: { spec: ProfileSpec };
}
