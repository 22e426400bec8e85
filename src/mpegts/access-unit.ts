/** One coded picture, or one coded audio frame, with its times in 90 kHz ticks. */
export interface AccessUnit {
  stream: 'video' | 'audio';
  pts: number;
  dts: number;
  /** A decoder can begin here. */
  key: boolean;
  /** H.264 in Annex B form, or one ADTS frame. */
  payload: Buffer;
}
