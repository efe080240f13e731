/** A repository: its tags, what has none, and what was deleted. */

import type { Repository, Usage } from "../../api/answers";
import { ApiError } from "../../api/errors";
import * as registry from "../../api/registry";
import { session } from "../../api/session";
import { slipway } from "../../model/commands";
import { counted } from "../../model/text";
import { Crumbs } from "../../parts/crumbs";
import { LockMark } from "../../parts/lock-mark";
import { SameCommand } from "../../parts/same-command";
import { Empty, Failure, Loading } from "../../parts/states";
import { type May, useMay } from "../../parts/use-may";
import { type Resource, useResource } from "../../parts/use-resource";
import { Size, Time } from "../../parts/values";
import { repositoryHref, type Tab } from "../../routes";
import { RepositoryActions } from "./actions";
import { DeletedOf } from "./deleted";
import { Tags } from "./tags";
import { Untagged } from "./untagged";

export function RepositoryView({ repository, tab }: { repository: string; tab: Tab }) {
  const may = useMay(repository);
  const readable = may.readMetadata ? repository : "";
  const facts = useResource<Repository>(readable && `repository ${readable}`, (signal) =>
    registry.repository(repository, { signal }),
  );
  const usage = useResource<Usage>(readable && `usage ${readable}`, (signal) =>
    registry.usage(repository, { signal }),
  );
  const service = session.value?.service ?? "";
  const isGone = facts.error instanceof ApiError && facts.error.status === 404;
  return (
    <>
      <div class="heading">
        <Crumbs repository={repository} />
        <LockMark attributes={facts.data?.changeableAttributes} />
        <span class="space" />
        {facts.data ? (
          <RepositoryActions
            repository={repository}
            facts={facts.data}
            usage={usage.data}
            may={may}
          />
        ) : null}
      </div>
      <Facts facts={facts.data} usage={usage.data} />
      <Tabs repository={repository} tab={tab} usage={usage.data} may={may} />
      {tab === "deleted" ? (
        <DeletedOf repository={repository} may={may} />
      ) : (
        <Contents repository={repository} tab={tab} may={may} facts={facts} isGone={isGone} />
      )}
      <SameCommand
        text={
          tab === "tags" ? slipway.tags(service, repository) : commandOf(tab, service, repository)
        }
      />
    </>
  );
}

function commandOf(tab: Tab, service: string, repository: string): string {
  const listed = slipway.manifests(service, repository);
  return tab === "deleted"
    ? listed.replace("manifest list", "manifest list-deleted")
    : `${listed} --untagged`;
}

interface ContentsProps {
  repository: string;
  tab: Tab;
  may: May;
  facts: Resource<Repository>;
  isGone: boolean;
}

function Contents({ repository, tab, may, facts, isGone }: ContentsProps) {
  if (may.error && !may.isKnown) {
    return <Failure error={may.error} />;
  }
  if (!may.isKnown) {
    return <Loading what="the repository" />;
  }
  if (isGone) {
    return (
      <Empty>
        <p>There is no repository of this name, or nothing in it any more.</p>
        {may.readDeleted ? (
          <a href={repositoryHref(repository, "deleted")}>Was something deleted here?</a>
        ) : null}
      </Empty>
    );
  }
  if (facts.error && !facts.data) {
    return <Failure error={facts.error} onRetry={facts.reload} />;
  }
  if (!may.readMetadata && !may.pull) {
    return (
      <Empty>
        <p>You may not read this repository, or it is not there.</p>
      </Empty>
    );
  }
  return tab === "tags" ? (
    <Tags
      repository={repository}
      isDetailed={may.readMetadata}
      total={facts.data?.tagCount ?? null}
    />
  ) : (
    <Untagged repository={repository} />
  );
}

function Facts({ facts, usage }: { facts: Repository | null; usage: Usage | null }) {
  if (!facts) {
    return null;
  }
  const shared = usage?.sharedSize;
  return (
    <p class="facts">
      <span>{counted(facts.tagCount, "tag")}</span>
      <span>{counted(facts.manifestCount, "manifest")}</span>
      {usage ? (
        <span>
          <Size bytes={usage.size} />
          {shared ? (
            <>
              , <Size bytes={shared} /> of it shared with other repositories
            </>
          ) : null}
        </span>
      ) : null}
      <span>
        pushed <Time time={facts.lastUpdateTime} /> ago
      </span>
      <span>
        made <Time time={facts.createdTime} /> ago
      </span>
    </p>
  );
}

interface TabsProps {
  repository: string;
  tab: Tab;
  usage: Usage | null;
  may: May;
}

function Tabs({ repository, tab, usage, may }: TabsProps) {
  const tabs: [Tab, string, number | null][] = [["tags", "Tags", null]];
  if (may.readMetadata) {
    tabs.push(["untagged", "Untagged", usage?.untaggedCount ?? null]);
  }
  if (may.readDeleted) {
    tabs.push(["deleted", "Deleted", usage?.restorableCount ?? null]);
  }
  return (
    <nav class="tabs" aria-label="In this repository">
      {tabs.map(([name, text, count]) => (
        <a
          key={name}
          href={repositoryHref(repository, name)}
          aria-current={name === tab ? "page" : undefined}
        >
          {text}
          {count ? <span class="count">{count.toLocaleString("en")}</span> : null}
        </a>
      ))}
    </nav>
  );
}
