/** Something that is no image: a chart, a signature, an SBOM, any files. */

import { useState } from "preact/hooks";
import type { Descriptor } from "../../model/manifest";
import { TableBox } from "../../parts/boxes";
import { Digest, Hostile, Size } from "../../parts/values";
import { BlobContent, BlobDialog } from "./blob";
import type { Loaded } from "./load";

/** What says nothing. */
const EMPTY = "application/vnd.oci.empty.v1+json";
/** What is read without being asked for. */
const AT_ONCE = 1024 * 1024;

export function Artefact({ repository, image }: { repository: string; image: Loaded }) {
  const { layers, config } = image.manifest;
  const [shown, setShown] = useState<Descriptor | null>(null);
  const isTold = config !== null && config.mediaType !== EMPTY && config.size > 2;
  const readable = isTold && image.kind.tool === "chart" ? config : layers.find(isText);
  return (
    <section>
      <h2>Content</h2>
      <TableBox label="Content">
        <table>
          <thead>
            <tr>
              <th>Name</th>
              <th>Type</th>
              <th class="figure">Size</th>
              <th>Digest</th>
              <th>
                <span class="offscreen">Show</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {[...(isTold ? [config] : []), ...layers].map((blob, at) => (
              <tr key={at}>
                <td>
                  <Hostile text={nameOf(blob, blob === config)} longest={80} />
                </td>
                <td>
                  <Hostile text={blob.mediaType} longest={80} />
                </td>
                <td class="figure">
                  <Size bytes={blob.size} />
                </td>
                <td>
                  <Digest digest={blob.digest} />
                </td>
                <td>
                  <button type="button" class="small" onClick={() => setShown(blob)}>
                    Show
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableBox>
      {readable && readable.size <= AT_ONCE ? (
        <BlobContent repository={repository} descriptor={readable} />
      ) : null}
      {shown ? (
        <BlobDialog repository={repository} descriptor={shown} onClose={() => setShown(null)} />
      ) : null}
    </section>
  );
}

function nameOf(blob: Descriptor, isConfig: boolean): string {
  return blob.annotations["org.opencontainers.image.title"] ?? (isConfig ? "config" : "");
}

function isText(blob: Descriptor): boolean {
  return /json|text|xml|yaml|toml|simplesigning|jose|sarif|spdx|cyclonedx/.test(blob.mediaType);
}
