/** A blob that is small enough to look into. */

import * as registry from "../../api/registry";
import { INLINE_AT_MOST } from "../../api/registry";
import { session } from "../../api/session";
import { referenceText } from "../../model/commands";
import { type Content, decode } from "../../model/content";
import type { Descriptor } from "../../model/manifest";
import { isDigest } from "../../model/names";
import { counted, visible, visibleLines } from "../../model/text";
import { SourceBox, TableBox } from "../../parts/boxes";
import { CopyButton } from "../../parts/copy";
import { Dialog } from "../../parts/dialog";
import { Failure, Loading } from "../../parts/states";
import { useResource } from "../../parts/use-resource";
import { Pairs, Size } from "../../parts/values";

interface Props {
  repository: string;
  descriptor: Descriptor;
}

/** So much text is shown; the rest is for a tool. */
const LONGEST = 100_000;
const MOST_PACKAGES = 500;

export function BlobDialog({ repository, descriptor, onClose }: Props & { onClose: () => void }) {
  return (
    <Dialog
      title={descriptor.annotations["org.opencontainers.image.title"] ?? "Blob"}
      onClose={onClose}
    >
      <p>
        <code>{visible(descriptor.digest)}</code> <Size bytes={descriptor.size} />
      </p>
      <BlobContent repository={repository} descriptor={descriptor} />
      <div class="actions">
        <button type="button" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}

export function BlobContent({ repository, descriptor }: Props) {
  const isSmall = descriptor.size <= INLINE_AT_MOST && isDigest(descriptor.digest);
  const content = useResource<Content>(
    isSmall ? `blob ${repository} ${descriptor.digest}` : "",
    async (signal) => decode(await registry.blob(repository, descriptor.digest, { signal })),
  );
  if (!isSmall) {
    return (
      <Elsewhere
        repository={repository}
        descriptor={descriptor}
        why="It is too large to be shown here."
      />
    );
  }
  if (content.error) {
    return <Failure error={content.error} onRetry={content.reload} />;
  }
  if (!content.data) {
    return <Loading what="the content" />;
  }
  return content.data.source === null ? (
    <Elsewhere repository={repository} descriptor={descriptor} why="It is not text." />
  ) : (
    <Decoded content={content.data} />
  );
}

function Elsewhere({ repository, descriptor, why }: Props & { why: string }) {
  if (!isDigest(descriptor.digest)) {
    return <p>{why}</p>;
  }
  const service = session.value?.service ?? "";
  const command = `crane blob ${referenceText({ service, repository, tag: null, digest: descriptor.digest })}`;
  return (
    <p class="same-command">
      <span>{why}</span> <code>{command}</code> <CopyButton text={command} what="the command" />
    </p>
  );
}

function Decoded({ content }: { content: Content }) {
  const source = content.source ?? "";
  return (
    <>
      {content.word ? <h3>{content.word}</h3> : null}
      {content.facts.length ? (
        <Pairs pairs={Object.fromEntries(content.facts.map((fact) => [fact.name, fact.value]))} />
      ) : null}
      {content.packages.length ? <Packages content={content} /> : null}
      <details open={content.word === ""}>
        <summary>Text</summary>
        <SourceBox label="Text">{visibleLines(source.slice(0, LONGEST))}</SourceBox>
        {source.length > LONGEST ? (
          <p class="muted">Cut: the whole is {counted(source.length, "character")} long.</p>
        ) : null}
      </details>
    </>
  );
}

function Packages({ content }: { content: Content }) {
  const { packages } = content;
  return (
    <details open>
      <summary>{counted(packages.length, "package")}</summary>
      <TableBox label="Packages">
        <table>
          <thead>
            <tr>
              <th>Package</th>
              <th>Version</th>
              <th>Licence</th>
            </tr>
          </thead>
          <tbody>
            {packages.slice(0, MOST_PACKAGES).map((each, at) => (
              <tr key={at}>
                <td>{visible(each.name, 120)}</td>
                <td>{visible(each.version, 60)}</td>
                <td>{visible(each.license, 80)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableBox>
      {packages.length > MOST_PACKAGES ? (
        <p class="muted">The first {MOST_PACKAGES} are shown.</p>
      ) : null}
    </details>
  );
}
