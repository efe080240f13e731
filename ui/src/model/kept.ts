/** Why a manifest without a tag is still there. */

import { shortDigest } from "./names";

export interface Untagged {
  /** Indexes that hold it. */
  parents: string[];
  subject: string | null;
  isLocked: boolean;
  updated: string;
}

const YOUNG = 24 * 60 * 60 * 1000;

export interface Reason {
  words: string;
  /** The manifest that the words end with, if they name one. */
  digest: string | null;
}

/** Each reason, the strongest first; none for what only waits for retention, or for somebody. */
export function keptBecause(manifest: Untagged, now: number): Reason[] {
  const reasons: Reason[] = manifest.parents.map((digest) => ({ words: "child of index", digest }));
  if (manifest.subject) {
    reasons.push({ words: "refers to", digest: manifest.subject });
  }
  if (manifest.isLocked) {
    reasons.push({ words: "locked", digest: null });
  }
  if (now - Date.parse(manifest.updated) < YOUNG) {
    reasons.push({ words: "touched lately", digest: null });
  }
  return reasons;
}

/** A reason as text. */
export function reasonText(reason: Reason): string {
  return reason.digest ? `${reason.words} ${shortDigest(reason.digest)}` : reason.words;
}
