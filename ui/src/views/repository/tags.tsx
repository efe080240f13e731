/** The tags of a repository: the newest first, more as one scrolls, all for a search. */

import { useEffect, useMemo, useState } from "preact/hooks";
import type { PagedList } from "../../api/paged-list";
import * as registry from "../../api/registry";
import { counted } from "../../model/text";
import { copy } from "../../parts/copy";
import { FilterBox } from "../../parts/filter-box";
import { Empty, Failure, Loading } from "../../parts/states";
import { usePagedList } from "../../parts/use-paged-list";
import { VirtualGrid } from "../../parts/virtual-grid";
import { href, imageHref } from "../../routes";
import { pullCommand, tagColumns } from "./tag-columns";
import { arrange, fold, type Order, ofName, ofTag, type TagRow } from "./tags-model";
import { useFacts } from "./use-facts";

/** So many rows before the end of what is loaded, more is loaded. */
const AHEAD = 100;

interface Props {
  repository: string;
  /** Whether more than names may be read. */
  isDetailed: boolean;
  total: number | null;
}

function useTags(repository: string, isDetailed: boolean): PagedList<TagRow> {
  return usePagedList<TagRow>(
    `tags ${repository} ${isDetailed}`,
    isDetailed ? registry.firstTags(repository) : registry.firstTagNames(repository),
    async (path, signal) => {
      if (isDetailed) {
        const page = await registry.tags(repository, path, { signal });
        return { entries: page.entries.map(ofTag), next: page.next };
      }
      const page = await registry.tagNames(repository, path, { signal });
      return { entries: page.entries.map(ofName), next: page.next };
    },
  );
}

export function Tags({ repository, isDetailed, total }: Props) {
  const list = useTags(repository, isDetailed);
  const facts = useFacts(repository);
  const [filter, setFilter] = useState("");
  const [order, setOrder] = useState<Order>(isDetailed ? "newest" : "version");
  const [chosen, setChosen] = useState<string[]>([]);
  const entries = list.entries.value;
  const isWhole = list.isComplete.value;
  const needsAll = filter !== "" || order !== "newest";
  const folded = useMemo(() => fold(entries), [entries]);
  const rows = useMemo(() => arrange(folded.rows, filter, order), [folded, filter, order]);

  // A search, and another order, are over the whole list and not over what has been seen of it.
  useEffect(() => {
    let isWanted = needsAll;
    if (needsAll) {
      void list.all(() => isWanted);
    }
    return () => {
      isWanted = false;
    };
  }, [list, needsAll]);

  // A page may hold nothing but what goes under images.
  const isShort = rows.length === 0 && entries.length > 0 && !isWhole && !needsAll;
  useEffect(() => {
    if (isShort) {
      void list.more();
    }
  }, [list, entries, isShort]);

  const choose = (name: string): void =>
    setChosen((before) =>
      before.includes(name) ? before.filter((each) => each !== name) : [...before.slice(-1), name],
    );
  const columns = tagColumns({
    repository,
    facts,
    attachedTo: folded.attachedTo,
    order,
    onOrder: setOrder,
    chosen,
    onChoose: choose,
  });
  return (
    <>
      <div class="tools">
        <FilterBox label="Filter tags" value={filter} onFilter={setFilter} />
        <Progress
          list={list}
          total={total}
          shown={rows.length}
          hidden={folded.hidden}
          isFiltered={filter !== ""}
        />
        <span class="space" />
        <CompareBar repository={repository} chosen={chosen} />
      </div>
      {list.error.value ? (
        <Failure error={list.error.value} onRetry={() => void list.more()} />
      ) : null}
      {rows.length ? (
        <VirtualGrid
          label="Tags"
          layout="tags"
          rows={rows}
          columns={columns}
          keyOf={(row) => row.name}
          hrefOf={(row) => imageHref(repository, row.name)}
          traitsOf={(row) => ({ isSelected: chosen.includes(row.name) })}
          total={needsAll ? rows.length : (total ?? 0) - folded.hidden}
          onRange={({ end }, inView) => {
            facts.want(isDetailed ? inView.map((row) => row.digest) : []);
            if (!needsAll && end > rows.length - AHEAD) {
              void list.more();
            }
          }}
          keys={{
            c: (row) => void copy(row.digest, `the digest of ${row.name}`),
            y: (row) =>
              void copy(
                pullCommand(repository, row.name, row.digest, facts.get(row.digest)),
                `the pull command of ${row.name}`,
              ),
            x: (row) => choose(row.name),
            Y: (row) =>
              void copy(
                pullCommand(repository, null, row.digest, facts.get(row.digest)),
                `the pull command of ${row.name} by digest`,
              ),
          }}
        />
      ) : (
        <NoTags isWhole={isWhole} isFiltered={filter !== ""} isFailed={list.error.value !== null} />
      )}
    </>
  );
}

interface ProgressProps {
  list: PagedList<TagRow>;
  total: number | null;
  shown: number;
  hidden: number;
  isFiltered: boolean;
}

function Progress({ list, total, shown, hidden, isFiltered }: ProgressProps) {
  const loaded = list.entries.value.length;
  const of = total === null || list.isComplete.value ? "" : ` of ${total.toLocaleString("en")}`;
  const folded = hidden ? `, ${counted(hidden, "signature tag")} under their images` : "";
  const text = isFiltered
    ? `${counted(shown, "tag")} found in ${loaded.toLocaleString("en")}${of}`
    : `${counted(loaded - hidden, "tag")}${of}${folded}`;
  return (
    <span class="muted" role="status">
      {loaded ? text : ""}{" "}
      {list.isLoading.value && loaded ? <span class="spinner" aria-hidden="true" /> : null}
    </span>
  );
}

function NoTags({
  isWhole,
  isFiltered,
  isFailed,
}: {
  isWhole: boolean;
  isFiltered: boolean;
  isFailed: boolean;
}) {
  if (isFailed) {
    return null;
  }
  if (!isWhole) {
    return <Loading what="tags" />;
  }
  return (
    <Empty>
      <p>
        {isFiltered
          ? "No tag has this in its name."
          : "No tags. What is here has none: look at Untagged."}
      </p>
    </Empty>
  );
}

function CompareBar({ repository, chosen }: { repository: string; chosen: string[] }) {
  const [before, after] = chosen;
  if (!before) {
    return null;
  }
  return after ? (
    <a class="button primary" href={href({ view: "compare", repository, before, after })}>
      Compare {before} with {after}
    </a>
  ) : (
    <span class="muted">Choose another tag to compare {before} with</span>
  );
}
