/** What takes how much storage, and what collection would free. */

import { useEffect, useMemo, useState } from "preact/hooks";
import type { Total, Usage } from "../../api/answers";
import * as registry from "../../api/registry";
import { slipway } from "../../model/commands";
import { share } from "../../model/sizes";
import { counted } from "../../model/text";
import { Bar } from "../../parts/bar";
import { SameCommand } from "../../parts/same-command";
import { Empty, Failure, Loading } from "../../parts/states";
import { usePagedList } from "../../parts/use-paged-list";
import { Figure, Size, Time } from "../../parts/values";
import { type Column, VirtualGrid } from "../../parts/virtual-grid";
import { repositoryHref } from "../../routes";
import { Totals } from "./totals";

/** So many repositories are asked about before somebody asks for more. */
const STEP = 1000;

export function UsageView() {
  const [total, setTotal] = useState<Total | null>(null);
  const [limit, setLimit] = useState(STEP);
  const list = usePagedList<Usage>("usage", registry.firstUsage, async (path, signal) => {
    const page = await registry.usagePage(path, { signal });
    setTotal(page.total);
    return page;
  });
  useEffect(() => {
    let isWanted = true;
    void list.all(() => isWanted && list.entries.value.length < limit);
    return () => {
      isWanted = false;
    };
  }, [list, limit]);
  const entries = list.entries.value;
  const rows = useMemo(
    () => entries.toSorted((one, other) => (other.size ?? 0) - (one.size ?? 0)),
    [entries],
  );
  const isWhole = list.isComplete.value;
  const counts = isWhole
    ? counted(rows.length, "repository", "repositories")
    : `the first ${rows.length.toLocaleString("en")} repositories`;
  return (
    <>
      <div class="heading">
        <h1 tabIndex={-1}>Usage</h1>
        <span class="muted">{rows.length ? counts : ""}</span>
        {list.isLoading.value ? (
          <span class="spinner" role="status" aria-label="Loading more" />
        ) : null}
        <span class="space" />
        {isWhole || list.isLoading.value ? null : (
          <button type="button" onClick={() => setLimit(limit + STEP)}>
            Count more
          </button>
        )}
      </div>
      {list.error.value ? (
        <Failure error={list.error.value} onRetry={() => void list.more()} />
      ) : null}
      {rows.length ? <Totals total={total} usages={rows} /> : null}
      {rows.length ? (
        <VirtualGrid
          label="Bytes by repository"
          layout="usage"
          rows={rows}
          columns={columnsOf(rows)}
          keyOf={(row) => row.imageName}
          hrefOf={(row) => repositoryHref(row.imageName)}
        />
      ) : null}
      {rows.length === 0 && !list.error.value ? <Nothing isWhole={isWhole} /> : null}
      <SameCommand text={slipway.usage()} />
    </>
  );
}

function Nothing({ isWhole }: { isWhole: boolean }) {
  return isWhole ? (
    <Empty>
      <p>There is nothing here yet.</p>
    </Empty>
  ) : (
    <Loading what="usage" />
  );
}

function columnsOf(rows: Usage[]): Column<Usage>[] {
  const largest = Math.max(1, ...rows.slice(0, 1).map((row) => row.size ?? 0));
  const sum = rows.reduce((before, row) => before + (row.size ?? 0), 0);
  return [
    {
      name: "name",
      title: "Repository",
      cell: (row) => (
        <a href={repositoryHref(row.imageName)} tabIndex={-1} title={row.imageName}>
          {row.imageName}
        </a>
      ),
    },
    { name: "size figure", title: "Size", cell: (row) => <Size bytes={row.size} /> },
    {
      name: "chart",
      title: "Own and shared",
      cell: (row) => <UsageBar usage={row} largest={largest} />,
    },
    { name: "part figure", title: "Share", cell: (row) => share(row.size ?? 0, sum) },
    { name: "shared figure", title: "Shared", cell: (row) => <Size bytes={row.sharedSize} /> },
    {
      name: "manifests figure",
      title: "Manifests",
      cell: (row) => <Figure value={row.manifestCount} />,
    },
    {
      name: "restorable figure",
      title: "Restorable",
      cell: (row) => <Size bytes={row.restorableSize} />,
    },
    { name: "updated figure", title: "Pushed", cell: (row) => <Time time={row.lastUpdateTime} /> },
  ];
}

function UsageBar({ usage, largest }: { usage: Usage; largest: number }) {
  const shared = usage.sharedSize ?? 0;
  const own = Math.max(0, (usage.size ?? 0) - shared);
  return (
    <Bar
      parts={[
        { share: own / largest, tone: "own" },
        { share: shared / largest, tone: "shared" },
      ]}
    />
  );
}
