/** How an attempt to play an item failed. */
export type FailureKind = keyof typeof lockedOutBecause | 'internal';

/** Why a channel shows its slate. */
export interface Trouble {
  kind: 'retrying' | 'unplayable' | 'missing' | 'nothing-scheduled' | 'no-encoder' | 'locked-out';
  /** For the admin: it may name files. */
  text: string;
  failure?: FailureKind;
}

const lockedOutBecause = {
  unreadable: 'Its recordings cannot be read',
  'ends-early': 'Its recordings end too early',
  hangs: 'The encoder does not answer',
  killed: 'The encoder is ended from outside',
  'no-start': 'The encoder does not start',
};

/** Too many items have failed one after the other; the last one in this way. */
export function lockedOut(last: Trouble | undefined): Trouble {
  const failure = last?.failure;
  return {
    kind: 'locked-out',
    text: `too many items have failed one after the other${last === undefined ? '' : `; the last one: ${last.text}`}`,
    ...(failure === undefined ? {} : { failure }),
  };
}

/**
 * What the slate tells viewers below its "Please stand by": one of a few sentences, so that few slates have
 * to be made, and nothing of how the server is set up. Undefined for what is over in a moment.
 */
export function captionOf(trouble: Trouble | undefined): string | undefined {
  switch (trouble?.kind) {
    case 'nothing-scheduled':
      return 'Nothing is scheduled now';
    case 'missing':
      return 'This recording is no longer there. The next one follows on time';
    case 'unplayable':
      return 'This recording cannot be played. The next one follows on time';
    case 'no-encoder':
      return 'The server has no encoder free for this channel';
    case 'locked-out': {
      const { failure } = trouble;
      const because = failure === undefined || failure === 'internal' ? undefined : lockedOutBecause[failure];
      return because === undefined ? 'This channel has a problem' : `This channel has a problem. ${because}`;
    }
    default:
      return undefined;
  }
}
