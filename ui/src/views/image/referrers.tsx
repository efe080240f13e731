/** What refers to an image, or to what an index holds, as a tree. */

import { useState } from "preact/hooks";
import * as registry from "../../api/registry";
import { attached } from "../../model/folding";
import { kindOf } from "../../model/kinds";
import type { Descriptor } from "../../model/manifest";
import { attestedDigest, platformText } from "../../model/platforms";
import { Failure, Loading } from "../../parts/states";
import { useResource } from "../../parts/use-resource";
import { Digest, Hostile, Time } from "../../parts/values";
import { imageHref } from "../../routes";
import type { Loaded } from "./load";

interface Referrer {
  digest: string;
  word: string;
  created: string;
  /** How it is attached, if not by its subject. */
  by: string;
}

interface Group {
  /** Of what: empty for the manifest itself. */
  of: string;
  referrers: Referrer[];
}

/** So many images of an index are asked about. */
const MOST = 30;
const CREATED = "org.opencontainers.image.created";

interface Props {
  repository: string;
  image: Loaded;
  isDetailed: boolean;
}

export function Referrers({ repository, image, isDetailed }: Props) {
  const found = useResource<Group[]>(
    `referrers ${repository}@${image.digest} ${isDetailed}`,
    (signal) => loadGroups(repository, image, isDetailed, { signal }),
  );
  const groups = found.data?.filter((group) => group.referrers.length > 0) ?? [];
  return (
    <section>
      <h2>Refers to it</h2>
      {found.error ? <Failure error={found.error} onRetry={found.reload} /> : null}
      {found.isLoading && !found.data ? (
        <Loading what="signatures, SBOMs and attestations" />
      ) : null}
      {found.data && groups.length === 0 ? (
        <p class="muted">No signature, SBOM, attestation or anything else.</p>
      ) : null}
      <ul class="tree">
        {groups.map((group) =>
          group.of ? (
            <li key={group.of}>
              <span class="muted">
                of <Hostile text={group.of} />
              </span>
              <Nodes repository={repository} referrers={group.referrers} />
            </li>
          ) : (
            group.referrers.map((each) => (
              <Node key={each.digest + each.by} repository={repository} referrer={each} />
            ))
          ),
        )}
      </ul>
    </section>
  );
}

function Nodes({ repository, referrers }: { repository: string; referrers: Referrer[] }) {
  return (
    <ul>
      {referrers.map((each) => (
        <Node key={each.digest + each.by} repository={repository} referrer={each} />
      ))}
    </ul>
  );
}

function Node({ repository, referrer }: { repository: string; referrer: Referrer }) {
  const [isOpen, setOpen] = useState(false);
  const below = useResource<Referrer[]>(
    isOpen ? `referrers ${repository}@${referrer.digest}` : "",
    async (signal) =>
      (await registry.referrers(repository, referrer.digest, { signal })).map(ofDescriptor),
  );
  return (
    <li>
      <button
        type="button"
        class="turn"
        data-open={isOpen}
        aria-expanded={isOpen}
        aria-label={`What refers to this ${referrer.word}`}
        onClick={() => setOpen(!isOpen)}
      />
      <a href={imageHref(repository, referrer.digest)}>
        <Hostile text={referrer.word} longest={80} />
      </a>{" "}
      <Digest digest={referrer.digest} repository={repository} />{" "}
      {referrer.created ? <Time time={referrer.created} /> : null}{" "}
      <span class="muted">{referrer.by}</span>
      {below.data?.length ? <Nodes repository={repository} referrers={below.data} /> : null}
      {isOpen && below.data?.length === 0 ? <p class="muted">Nothing refers to it.</p> : null}
    </li>
  );
}

function ofDescriptor(descriptor: Descriptor): Referrer {
  return {
    digest: descriptor.digest,
    word: kindOf({ mediaType: descriptor.mediaType, artifactType: descriptor.artifactType }).word,
    created: descriptor.annotations[CREATED] ?? "",
    by: "",
  };
}

async function loadGroups(
  repository: string,
  image: Loaded,
  isDetailed: boolean,
  options: registry.Options,
): Promise<Group[]> {
  const { manifests, isIndex } = image.manifest;
  const images = isIndex
    ? manifests.filter((each) => attestedDigest(each.annotations) === null).slice(0, MOST)
    : [];
  const own = {
    of: "",
    referrers: await referrersOf(repository, image.digest, isDetailed, options),
  };
  const ofImages = images.map(async (each): Promise<Group> => {
    const of = platformText(each.platform) || each.digest.slice(0, 19);
    const referring = await referrersOf(repository, each.digest, isDetailed, {
      ...options,
      isLater: true,
    });
    return { of, referrers: [...attestationsOf(each.digest, manifests), ...referring] };
  });
  return [own, ...(await Promise.all(ofImages))];
}

/** By subject, and by the tags of older tools. */
async function referrersOf(
  repository: string,
  digest: string,
  isDetailed: boolean,
  options: registry.Options,
): Promise<Referrer[]> {
  const [bySubject, byTag] = await Promise.all([
    registry.referrers(repository, digest, options),
    isDetailed ? registry.attachedTags(repository, digest, options) : [],
  ]);
  const ofTags = byTag.map((tag): Referrer => {
    const word = attached(tag.name)?.what ?? "artefact";
    return { digest: tag.digest, word, created: "", by: "by its tag" };
  });
  return [...bySubject.map(ofDescriptor), ...ofTags];
}

/** What the builder put into the index itself. */
function attestationsOf(digest: string, manifests: Descriptor[]): Referrer[] {
  return manifests
    .filter((each) => attestedDigest(each.annotations) === digest)
    .map((each) => ({ ...ofDescriptor(each), word: "attestation", by: "in the index" }));
}
