/** The whole page: the header, the view of the address, and what lies over it. */

import { useEffect, useRef } from "preact/hooks";
import { useKeys } from "../parts/keys";
import { Toasts } from "../parts/toast";
import { navigate, type Route, route, titleOf, upHref, visits } from "../routes";
import { ExpiredBar } from "../sign-in/bar";
import { phase, settings } from "../sign-in/state";
import { SignInView } from "../sign-in/view";
import { CompareView } from "../views/compare/view";
import { DeletedView } from "../views/deleted/view";
import { FindView } from "../views/find/view";
import { ImageView } from "../views/image/view";
import { RepositoriesView } from "../views/repositories/view";
import { RepositoryView } from "../views/repository/view";
import { UnknownView } from "../views/unknown";
import { UsageView } from "../views/usage/view";
import { Header } from "./header";

export function Page() {
  const isFirst = useRef(true);
  const visit = visits.value;
  const isIn = phase.value === "signed-in";
  useEffect(() => {
    const service = settings.value?.service ?? "";
    document.title = `${isIn ? titleOf(route.value) : "Sign in"} – ${service || "Slipway"}`;
    if (isIn && !isFirst.current) {
      document.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
    }
    isFirst.current = !isIn;
  }, [visit, isIn]);

  useKeys({
    u: () => {
      const up = upHref(route.value);
      if (up) {
        navigate(up);
      }
    },
  });

  return (
    <>
      <Header />
      <ExpiredBar />
      {phase.value === "starting" ? <Starting /> : null}
      {phase.value === "signed-out" || phase.value === "unreachable" ? <SignInView /> : null}
      {isIn ? (
        <main id="content" data-view={route.value.view} tabIndex={-1}>
          <View found={route.value} />
        </main>
      ) : null}
      <Toasts />
    </>
  );
}

function Starting() {
  return (
    <main class="center" data-view="starting">
      <p role="status">
        <span class="spinner" aria-hidden="true" /> One moment…
      </p>
    </main>
  );
}

function View({ found }: { found: Route }) {
  switch (found.view) {
    case "repositories":
      return <RepositoriesView />;
    case "usage":
      return <UsageView />;
    case "deleted":
      return <DeletedView />;
    case "find":
      return <FindView key={found.digest} digest={found.digest} />;
    case "repository":
      return (
        <RepositoryView key={found.repository} repository={found.repository} tab={found.tab} />
      );
    case "image":
      return (
        <ImageView
          key={`${found.repository} ${found.tag} ${found.digest}`}
          repository={found.repository}
          tag={found.tag}
          digest={found.digest}
        />
      );
    case "compare":
      return (
        <CompareView repository={found.repository} before={found.before} after={found.after} />
      );
    case "unknown":
      return <UnknownView />;
  }
}
