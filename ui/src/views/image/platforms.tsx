/** The images of an index, one for each platform. */

import { useEffect } from "preact/hooks";
import { session } from "../../api/session";
import { pullCommands } from "../../model/commands";
import { kindOf } from "../../model/kinds";
import type { Descriptor, Manifest } from "../../model/manifest";
import { attestedDigest, platformText } from "../../model/platforms";
import { TableBox } from "../../parts/boxes";
import { CopyButton } from "../../parts/copy";
import { Digest, Hostile, Size } from "../../parts/values";
import { imageHref } from "../../routes";
import { useFacts } from "../repository/use-facts";

/** An index of more is cut; the raw manifest has them all. */
const MOST = 100;

interface Props {
  repository: string;
  manifest: Manifest;
  isDetailed: boolean;
}

export function Platforms({ repository, manifest, isDetailed }: Props) {
  const images = manifest.manifests
    .filter((each) => attestedDigest(each.annotations) === null)
    .slice(0, MOST);
  const facts = useFacts(repository);
  useEffect(() => {
    if (isDetailed) {
      facts.want(images.map((each) => each.digest));
    }
  }, [facts, manifest, isDetailed]);
  const service = session.value?.service ?? "";
  return (
    <section>
      <h2>Platforms</h2>
      <TableBox label="Platforms">
        <table>
          <thead>
            <tr>
              <th>Platform</th>
              <th>Digest</th>
              <th class="figure">To pull</th>
              <th>
                <span class="offscreen">Copy</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {images.map((each) => (
              <tr key={each.digest}>
                <td>
                  <a href={imageHref(repository, each.digest)}>
                    <Hostile text={nameOf(each)} />
                  </a>
                </td>
                <td>
                  <Digest digest={each.digest} repository={repository} />
                </td>
                <td class="figure">
                  {isDetailed ? <Size bytes={sizeOf(facts.get(each.digest))} /> : null}
                </td>
                <td>
                  <CopyButton
                    text={
                      pullCommands({
                        service,
                        repository,
                        tag: null,
                        digest: each.digest,
                        tool: "image",
                      })[0]?.text ?? ""
                    }
                    what={`the pull command of ${nameOf(each)}`}
                  />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableBox>
      {manifest.manifests.length > MOST ? (
        <p class="muted">The index has more; the raw manifest shows all.</p>
      ) : null}
    </section>
  );
}

function nameOf(descriptor: Descriptor): string {
  const kind = kindOf({ mediaType: descriptor.mediaType, artifactType: descriptor.artifactType });
  return (
    platformText(descriptor.platform) ||
    descriptor.annotations["org.opencontainers.image.ref.name"] ||
    kind.word
  );
}

function sizeOf(facts: { imageSize: number } | null | undefined): number | null | undefined {
  return facts ? facts.imageSize : facts;
}
