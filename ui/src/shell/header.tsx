/** What stands above every view. */

import { session } from "../api/session";
import { visible } from "../model/text";
import { ThemeChoice } from "../parts/theme";
import { href, type Route, route } from "../routes";
import { phase, settings, signOut } from "../sign-in/state";
import { GoBox } from "./go-box";
import { Help } from "./help";

export function Header() {
  const isIn = phase.value === "signed-in";
  return (
    <header class="top">
      {isIn ? (
        <a class="skip" href="#content">
          Skip to the content
        </a>
      ) : null}
      <a class="brand" href="/ui/">
        <span class="mark" aria-hidden="true" />
        <bdi>{settings.value?.service ?? location.host}</bdi>
      </a>
      {isIn ? <Navigation /> : null}
      {isIn ? <GoBox /> : <span class="space" />}
      <ThemeChoice />
      <Help />
      {isIn ? <Person /> : null}
    </header>
  );
}

function Navigation() {
  const rights = session.value?.rights;
  const here = route.value.view;
  const isAmongRepositories = here !== "usage" && here !== "deleted";
  return (
    <nav aria-label="Views">
      <NavigationLink
        to={{ view: "repositories" }}
        text="Repositories"
        isHere={isAmongRepositories}
      />
      {rights?.catalog ? (
        <NavigationLink to={{ view: "usage" }} text="Usage" isHere={here === "usage"} />
      ) : null}
      {rights?.deletedCatalog ? (
        <NavigationLink to={{ view: "deleted" }} text="Deleted" isHere={here === "deleted"} />
      ) : null}
    </nav>
  );
}

function NavigationLink({ to, text, isHere }: { to: Route; text: string; isHere: boolean }) {
  return (
    <a href={href(to)} aria-current={isHere ? "page" : undefined}>
      {text}
    </a>
  );
}

function Person() {
  const current = session.value;
  if (current?.kind === "anonymous") {
    return (
      <button type="button" class="primary" onClick={signOut}>
        Sign in
      </button>
    );
  }
  return (
    <div class="person">
      <bdi class="name" title="Who is signed in">
        {visible(current?.person ?? "", 40)}
      </bdi>
      <button type="button" class="quiet" onClick={signOut}>
        Sign out
      </button>
    </div>
  );
}
