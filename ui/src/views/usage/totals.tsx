/** What the registry takes of storage as a whole, by the counts of the nights. */

import type { ComponentChildren } from "preact";
import type { Total, Usage } from "../../api/answers";
import { Size, Time } from "../../parts/values";

export function Totals({ total, usages }: { total: Total | null; usages: Usage[] }) {
  const restorable = usages.reduce((sum, usage) => sum + (usage.restorableSize ?? 0), 0);
  if (!total) {
    return (
      <p class="facts">
        <span>The registry as a whole is counted each night. It was not yet.</span>
        <span>
          <Size bytes={restorable} /> can be restored
        </span>
      </p>
    );
  }
  return (
    <>
      <dl class="numbers">
        <Amount name="In storage" note="all blobs, each once">
          <Size bytes={total.storedSize} />
        </Amount>
        <Amount name="Shared" note="needed by several repositories">
          <Size bytes={total.sharedSize} />
        </Amount>
        <Amount name="Collection would free" note="nothing needs it any more">
          <Size bytes={total.waitingSize} />
        </Amount>
        <Amount name="Restorable" note="deleted, and kept for some days">
          <Size bytes={restorable} />
        </Amount>
        <Amount name="Uploads" note="not finished">
          <Size bytes={total.uploadSize} />
        </Amount>
      </dl>
      <p class="muted">
        Counted <Time time={total.asOf} /> ago
        {total.oldest ? (
          <>
            , the oldest part <Time time={total.oldest} /> ago
          </>
        ) : null}
        {total.isComplete ? "." : "; some parts were not counted yet."}
      </p>
    </>
  );
}

function Amount({
  name,
  note,
  children,
}: {
  name: string;
  note: string;
  children: ComponentChildren;
}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
      <dd class="muted">{note}</dd>
    </div>
  );
}
