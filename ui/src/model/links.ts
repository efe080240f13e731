/** Text cut where it names digests, so that each can be a link. */

export interface Piece {
  text: string;
  /** The digest that the piece is, if it is one. */
  digest: string | null;
}

const DIGESTS = /\b(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})\b/;

export function pieces(source: string): Piece[] {
  return source
    .split(DIGESTS)
    .map((text, at) => ({ text, digest: at % 2 ? text : null }))
    .filter((piece) => piece.text !== "");
}
