/** Taking away a tag, a manifest, or a repository. */

import type { ComponentChildren } from "preact";
import type { Repository, Usage } from "../../api/answers";
import * as changes from "../../api/changes";
import { kindOf } from "../../model/kinds";
import { shortDigest } from "../../model/names";
import { size } from "../../model/sizes";
import { counted } from "../../model/text";
import { useResource } from "../../parts/use-resource";
import { Digest, Hostile } from "../../parts/values";
import { Confirm } from "./confirm";
import { type Goes, whatGoes } from "./what-goes";

interface Common {
  repository: string;
  onClose: () => void;
  onDone?: () => void;
}

/** What else is to be known: after a deletion it may be restored, or not. */
function Afterwards() {
  return (
    <p class="muted">
      Where soft delete is on, it can be restored for some days: look at Deleted. Else it is gone
      for good.
    </p>
  );
}

export function UntagDialog({
  repository,
  tag,
  digest,
  onClose,
  onDone,
}: Common & { tag: string; digest: string }) {
  return (
    <Confirm
      title={`Take away the tag ${tag}?`}
      action="Untag"
      isDangerous
      onClose={onClose}
      onDone={onDone}
      onConfirm={async () => {
        await changes.untag(repository, tag);
        return `Took the tag ${tag} away. The image ${shortDigest(digest)} is still there.`;
      }}
    >
      <p>
        Only the tag goes. The image <Digest digest={digest} /> stays, and so do its other tags.
      </p>
      <Afterwards />
    </Confirm>
  );
}

interface ManifestProps extends Common {
  digest: string;
  /** What it is called: an image, or an artefact. */
  noun: string;
}

export function DeleteManifestDialog({ repository, digest, noun, onClose, onDone }: ManifestProps) {
  const goes = useResource<Goes>(`goes ${repository}@${digest}`, (signal) =>
    whatGoes(repository, digest, signal),
  );
  const { data } = goes;
  return (
    <Confirm
      title={`Delete the ${noun}?`}
      action={data?.parents.length ? "Delete it all the same" : "Delete"}
      isDangerous
      isWaiting={goes.isLoading}
      onClose={onClose}
      onDone={onDone}
      onConfirm={async () => {
        await changes.deleteManifest(repository, digest);
        const tags = data?.tags.length
          ? ` with ${counted(data.tags.length, "tag")} (${data.tags.join(", ")})`
          : "";
        return `Deleted ${shortDigest(digest)} of ${repository}${tags}.`;
      }}
    >
      <p>
        <Digest digest={digest} isWhole />
      </p>
      {data ? <WhatGoes goes={data} /> : null}
      {goes.isLoading && !data ? <p role="status">Looking for what goes along…</p> : null}
      {goes.error ? <p>What goes along could not be found out.</p> : null}
      <Afterwards />
    </Confirm>
  );
}

function WhatGoes({ goes }: { goes: Goes }) {
  const stays = [
    goes.children ? `${counted(goes.children, "image")} of the index` : "",
    ...countedKinds(goes),
  ].filter(Boolean);
  return (
    <dl class="goes">
      <Line name="Also goes">
        {goes.tags.length
          ? `${counted(goes.tags.length, "tag")}: ${goes.tags.join(", ")}`
          : "no tag"}
      </Line>
      {goes.size && !goes.children ? (
        <Line name="Frees">at most {size(goes.size)}: what other images need stays</Line>
      ) : null}
      {stays.length ? <Line name="Stays, without it">{stays.join(", ")}</Line> : null}
      {goes.parents.length ? (
        <Line name="Is needed by">
          {goes.parents.map((parent) => (
            <Digest key={parent} digest={parent} />
          ))}{" "}
          an index, which would lack it
        </Line>
      ) : null}
      {goes.isReadable ? null : (
        <Line name="Not looked at">signatures and others that refer to it: you may not pull</Line>
      )}
      {goes.isWhole ? null : <Line name="Not looked at">older indexes, which may need it</Line>}
    </dl>
  );
}

/** `2 cosign signatures, 1 SPDX SBOM`. */
function countedKinds(goes: Goes): string[] {
  const words = [...goes.referrers.map((each) => kindOf(each).word), ...goes.attached];
  const counts = new Map<string, number>();
  for (const word of words) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].map(([word, count]) => counted(count, word));
}

function Line({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

interface RepositoryProps extends Common {
  facts: Repository;
  usage: Usage | null;
}

export function DeleteRepositoryDialog({
  repository,
  facts,
  usage,
  onClose,
  onDone,
}: RepositoryProps) {
  const own =
    usage?.size !== null && usage?.size !== undefined ? usage.size - (usage.sharedSize ?? 0) : null;
  return (
    <Confirm
      title={`Delete the repository ${repository}?`}
      action={`Delete ${counted(facts.manifestCount, "manifest")} and ${counted(facts.tagCount, "tag")}`}
      isDangerous
      onClose={onClose}
      onDone={onDone}
      onConfirm={async () => {
        const deleted = await changes.deleteRepository(repository);
        if (!deleted.isWhole) {
          return `Deleted ${repository} with all that was in it.`;
        }
        const manifests = counted(deleted.manifestsDeleted.length, "manifest");
        return `Deleted ${repository} with ${manifests} and ${counted(deleted.tagsDeleted.length, "tag")}.`;
      }}
    >
      <dl class="goes">
        <Line name="Goes">
          <Hostile text={repository} /> with all that is in it:{" "}
          {counted(facts.manifestCount, "manifest")}, {counted(facts.tagCount, "tag")}
        </Line>
        {own === null ? null : <Line name="Frees">about {size(own)}, when collection comes</Line>}
      </dl>
      <Afterwards />
    </Confirm>
  );
}
