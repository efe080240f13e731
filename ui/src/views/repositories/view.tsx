/** All repositories, as a tree of the levels of their names. */

import { useState } from "preact/hooks";
import { namesIn } from "../../api/rights";
import { session } from "../../api/session";
import { slipway } from "../../model/commands";
import { isName } from "../../model/names";
import { counted } from "../../model/text";
import { catalogList } from "../../parts/catalog";
import { FilterBox } from "../../parts/filter-box";
import { SameCommand } from "../../parts/same-command";
import { Empty, Failure, Loading } from "../../parts/states";
import { navigate, repositoryHref } from "../../routes";
import { RepositoryTree } from "./tree";

export function RepositoriesView() {
  const list = catalogList.value;
  const [filter, setFilter] = useState("");
  const named = session.value ? namesIn(session.value.rights) : [];
  const names = list ? list.entries.value : named.filter(isName);
  return (
    <>
      <div class="heading">
        <h1 tabIndex={-1}>Repositories</h1>
        <span class="muted">
          {names.length ? counted(names.length, "repository", "repositories") : ""}
        </span>
        {list?.isLoading.value ? (
          <span class="spinner" role="status" aria-label="Loading more" />
        ) : null}
        <span class="space" />
        <FilterBox label="Filter repositories" value={filter} onFilter={setFilter} />
      </div>
      {list === null ? <OpenByName patterns={named.filter((name) => !isName(name))} /> : null}
      {list?.error.value ? (
        <Failure error={list.error.value} onRetry={() => void list.all(() => true)} />
      ) : null}
      {names.length ? <RepositoryTree names={names} filter={filter} /> : null}
      {list && !names.length && !list.error.value ? (
        <NoRepositories isLoading={!list.isComplete.value} />
      ) : null}
      {list ? <SameCommand text={slipway.repositories()} /> : null}
    </>
  );
}

function NoRepositories({ isLoading }: { isLoading: boolean }) {
  const service = session.value?.service ?? "";
  return isLoading ? (
    <Loading what="repositories" />
  ) : (
    <Empty>
      <p>There is nothing here yet. Push something:</p>
      <code>docker push {service}/hello:v1</code>
    </Empty>
  );
}

/** For whoever may not list the catalog. */
function OpenByName({ patterns }: { patterns: string[] }) {
  const [problem, setProblem] = useState("");
  const submit = (event: SubmitEvent & { currentTarget: HTMLFormElement }): void => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get("name") ?? "").trim();
    if (isName(name)) {
      navigate(repositoryHref(name));
    } else {
      setProblem("This is not the name of a repository, such as team/web.");
    }
  };
  return (
    <form class="by-name" onSubmit={submit}>
      <label>
        Open a repository by its name
        <input
          name="name"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          placeholder="team/web"
        />
      </label>
      <button type="submit">Open</button>
      <p class="muted">
        You may not list all repositories of this registry.
        {patterns.length ? ` You may read those whose names fit ${patterns.join(", ")}.` : ""}
      </p>
      <p class="problem" role="alert">
        {problem}
      </p>
    </form>
  );
}
