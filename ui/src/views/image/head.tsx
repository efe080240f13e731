/** What a manifest is, and how to get it. */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { session } from "../../api/session";
import { pullCommands } from "../../model/commands";
import { platformText } from "../../model/platforms";
import { exactTime, isReproducible } from "../../model/times";
import { CopyButton, copy } from "../../parts/copy";
import { useKeys } from "../../parts/keys";
import { Digest, Hostile, Time } from "../../parts/values";
import { imageHref } from "../../routes";
import type { Loaded } from "./load";

interface Props {
  repository: string;
  image: Loaded;
  tag: string | null;
}

export function Head({ repository, image, tag }: Props) {
  const { manifest, config, facts, digest } = image;
  const others = facts?.tags.filter((each) => each !== tag) ?? [];
  const platform = platformText(config?.platform);
  return (
    <>
      <dl class="head">
        <Item name="Digest">
          <Digest digest={digest} isWhole /> <CopyButton text={digest} what="the digest" />
        </Item>
        <Item name="Type">
          <Hostile text={image.kind.word} /> <code class="muted">{manifest.mediaType}</code>
        </Item>
        {platform ? (
          <Item name="Platform">
            <Hostile text={platform} />
          </Item>
        ) : null}
        {config ? (
          <Item name="Built">
            <Built created={config.created} />
          </Item>
        ) : null}
        {facts ? (
          <Item name="Pushed">
            <Time time={image.tag?.lastUpdateTime ?? facts.lastUpdateTime} /> ago
          </Item>
        ) : null}
        {others.length ? (
          <Item name={tag === null ? "Tags" : "Same as"}>
            {others.slice(0, MOST).map((each) => (
              <a key={each} class="chip" href={imageHref(repository, each)}>
                {each}
              </a>
            ))}
            {others.length > MOST ? ` and ${others.length - MOST} more` : ""}
          </Item>
        ) : null}
        {manifest.subject ? (
          <Item name="Refers to">
            <Digest digest={manifest.subject.digest} repository={repository} />
          </Item>
        ) : null}
      </dl>
      {image.source === null ? null : <PullBox repository={repository} image={image} tag={tag} />}
    </>
  );
}

const MOST = 20;

function Item({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Builds that are to give equal bytes have no time of their own. */
function Built({ created }: { created: string }) {
  if (isReproducible(created)) {
    return <span title={exactTime(created)}>reproducible build, without a time of its own</span>;
  }
  return created ? (
    <>
      <Time time={created} /> ago
    </>
  ) : (
    <span class="muted">not told</span>
  );
}

/** The commands that get it, by tag and by digest, of the tool that it wants. */
function PullBox({ repository, image, tag }: Props) {
  const service = session.value?.service ?? "";
  const target = { service, repository, tool: image.kind.tool };
  const byDigest = pullCommands({ ...target, tag: null, digest: image.digest });
  const byTag = tag === null ? [] : pullCommands({ ...target, tag, digest: null });
  const [tool, setTool] = useState(byDigest[0]?.tool ?? "");
  const lines = [byTag, byDigest]
    .map((all) => all.find((each) => each.tool === tool)?.text)
    .filter((each) => each !== undefined);
  useKeys({
    c: () => void copy(image.digest, "the digest"),
    y: () => void copy(lines[0] ?? "", "the pull command"),
  });
  return (
    <div class="pull">
      <select
        aria-label="Tool"
        value={tool}
        onChange={(event) => setTool(event.currentTarget.value)}
      >
        {byDigest.map((each) => (
          <option key={each.tool} value={each.tool}>
            {each.tool}
          </option>
        ))}
      </select>
      <div class="lines">
        {lines.map((line) => (
          <div key={line} class="line">
            <code>{line}</code>
            <CopyButton
              text={line}
              what={line.includes("@") ? "the command by digest" : "the command by tag"}
            />
          </div>
        ))}
      </div>
    </div>
  );
}
