import type { ProfileSpec } from '../ffmpeg/profile.ts';

/** A channel as players and the streaming side see it. */
export interface LineupChannel {
  id: string;
  /** A decimal string: "5", "5.1". */
  number: string;
  name: string;
  group: string;
  logoUrl: string | undefined;
  guideId: string;
  enabled: boolean;
  zone: string;
  profile: { id: string; name: string; spec: ProfileSpec };
  updatedAt: number;
}
