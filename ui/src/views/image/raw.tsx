/** The manifest as it was pushed, with every digest a way to what it names. */

import { useState } from "preact/hooks";
import { pieces } from "../../model/links";
import { json } from "../../model/loose";
import type { Descriptor, Manifest } from "../../model/manifest";
import { visibleLines } from "../../model/text";
import { SourceBox } from "../../parts/boxes";
import { CopyButton } from "../../parts/copy";
import { imageHref } from "../../routes";
import { BlobDialog } from "./blob";

interface Props {
  repository: string;
  manifest: Manifest;
  /** As it was pushed. */
  source: string;
}

export function RawManifest({ repository, manifest, source }: Props) {
  const [shown, setShown] = useState<Descriptor | null>(null);
  const blobs = new Map(
    [manifest.config, ...manifest.layers]
      .filter((each) => each !== null)
      .map((each) => [each.digest, each]),
  );
  const parsed = json(source);
  const indented = parsed === null ? source : JSON.stringify(parsed, null, 2);
  return (
    <section>
      <details>
        <summary>
          <h2>Manifest</h2>
        </summary>
        <CopyButton text={source} what="the manifest as it was pushed" label="Copy as pushed" />
        <SourceBox label="Manifest">
          {pieces(visibleLines(indented)).map((piece, at) => (
            <PieceOf
              key={at}
              repository={repository}
              text={piece.text}
              digest={piece.digest}
              blob={blobs.get(piece.digest ?? "")}
              onShow={setShown}
            />
          ))}
        </SourceBox>
      </details>
      {shown ? (
        <BlobDialog repository={repository} descriptor={shown} onClose={() => setShown(null)} />
      ) : null}
    </section>
  );
}

interface PieceProps {
  repository: string;
  text: string;
  digest: string | null;
  blob: Descriptor | undefined;
  onShow: (blob: Descriptor) => void;
}

function PieceOf({ repository, text, digest, blob, onShow }: PieceProps) {
  if (blob) {
    return (
      <button type="button" class="link" onClick={() => onShow(blob)}>
        {text}
      </button>
    );
  }
  return digest ? <a href={imageHref(repository, digest)}>{text}</a> : <span>{text}</span>;
}
