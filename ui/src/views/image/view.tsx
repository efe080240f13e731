/** A tag, or a manifest by its digest: whatever it is. */

import { session } from "../../api/session";
import { slipway } from "../../model/commands";
import { shortDigest } from "../../model/names";
import { Crumbs } from "../../parts/crumbs";
import { LockMark } from "../../parts/lock-mark";
import { SameCommand } from "../../parts/same-command";
import { Empty, Failure, Loading } from "../../parts/states";
import { type May, useMay } from "../../parts/use-may";
import { type Resource, useResource } from "../../parts/use-resource";
import { Pairs } from "../../parts/values";
import { repositoryHref } from "../../routes";
import { ImageActions } from "./actions";
import { Artefact } from "./artefact";
import { ConfigSections } from "./config";
import { Head } from "./head";
import { Layers } from "./layers";
import { type Loaded, loadImage } from "./load";
import { Platforms } from "./platforms";
import { RawManifest } from "./raw";
import { Referrers } from "./referrers";

interface Props {
  repository: string;
  tag: string | null;
  digest: string | null;
}

export function ImageView({ repository, tag, digest }: Props) {
  const may = useMay(repository);
  const isReadable = may.pull || may.readMetadata;
  const key = isReadable
    ? `image ${repository} ${tag} ${digest} ${may.pull} ${may.readMetadata}`
    : "";
  const loaded = useResource<Loaded>(key, (signal) =>
    loadImage(repository, tag, digest, may, signal),
  );
  const what = tag === null ? `@${shortDigest(digest ?? "")}` : `:${tag}`;
  const image = loaded.data;
  return (
    <div class="page">
      <div class="heading">
        <Crumbs repository={repository} what={what} href={repositoryHref(repository)} />
        <LockMark attributes={image?.tag?.changeableAttributes} />
        <LockMark attributes={image?.facts?.changeableAttributes} />
        <span class="space" />
        {image ? <ImageActions repository={repository} image={image} may={may} /> : null}
      </div>
      {image ? <ImageSections repository={repository} image={image} may={may} tag={tag} /> : null}
      {image ? null : <Instead may={may} loaded={loaded} />}
      <SameCommand
        text={slipway.tree({
          service: session.value?.service ?? "",
          repository,
          tag,
          digest: tag === null ? digest : null,
        })}
      />
    </div>
  );
}

/** What is shown as long as there is no image to show. */
function Instead({ may, loaded }: { may: May; loaded: Resource<Loaded> }) {
  const error = may.error ?? loaded.error;
  if (error) {
    return <Failure error={error} onRetry={loaded.reload} />;
  }
  return may.isKnown && !may.pull && !may.readMetadata ? (
    <Empty>
      <p>You may not read this repository, or it is not there.</p>
    </Empty>
  ) : (
    <Loading what="the manifest" />
  );
}

interface SectionProps {
  repository: string;
  image: Loaded;
  may: May;
  tag: string | null;
}

function ImageSections({ repository, image, may, tag }: SectionProps) {
  const { manifest, kind, config } = image;
  const isImage = kind.word === "image";
  const hasAnnotations = Object.keys(manifest.annotations).length > 0;
  if (image.source === null) {
    return (
      <>
        <Head repository={repository} image={image} tag={tag} />
        <p class="muted">You may not pull from this repository, so there is no more to see.</p>
      </>
    );
  }
  return (
    <>
      <Head repository={repository} image={image} tag={tag} />
      {manifest.isIndex ? (
        <Platforms repository={repository} manifest={manifest} isDetailed={may.readMetadata} />
      ) : null}
      {isImage ? (
        <Layers repository={repository} image={image} isDetailed={may.readMetadata} />
      ) : null}
      {!isImage && !manifest.isIndex ? <Artefact repository={repository} image={image} /> : null}
      <Referrers repository={repository} image={image} isDetailed={may.readMetadata} />
      {config ? <ConfigSections config={config} /> : null}
      {hasAnnotations ? (
        <section>
          <h2>Annotations</h2>
          <Pairs pairs={manifest.annotations} />
        </section>
      ) : null}
      <RawManifest repository={repository} manifest={manifest} source={image.source} />
    </>
  );
}
