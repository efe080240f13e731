/** The addresses of the views. Names of repositories have slashes, so they are the path itself. */

import { signal } from "@preact/signals";
import { isDigest, isName, isTag } from "./model/names";

export type Tab = "tags" | "untagged" | "deleted";

export type Route =
  | { view: "repositories" }
  | { view: "usage" }
  | { view: "deleted" }
  | { view: "find"; digest: string }
  | { view: "repository"; repository: string; tab: Tab }
  | { view: "image"; repository: string; tag: string | null; digest: string | null }
  | { view: "compare"; repository: string; before: string; after: string }
  | { view: "unknown"; path: string };

const BASE = "/ui/";
/** The view at an address of this page. */
export function parseRoute(path: string, search: string): Route {
  const rest = decodePath(path === "/" ? "" : path.replace(/^\/ui\/?/, ""));
  if (rest === "") {
    return { view: "repositories" };
  }
  if (rest === "_usage") {
    return { view: "usage" };
  }
  if (rest === "_deleted") {
    return { view: "deleted" };
  }
  if (rest === "_find") {
    const digest = new URLSearchParams(search).get("digest") ?? "";
    return isDigest(digest) ? { view: "find", digest } : { view: "unknown", path };
  }
  const repository = rest.replace(/\/$/, "");
  return isName(repository)
    ? ofRepository(repository, new URLSearchParams(search))
    : { view: "unknown", path };
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function ofRepository(repository: string, query: URLSearchParams): Route {
  const tag = query.get("tag");
  const digest = query.get("digest");
  if (digest !== null && isDigest(digest)) {
    return { view: "image", repository, tag: tag !== null && isTag(tag) ? tag : null, digest };
  }
  if (tag !== null && isTag(tag)) {
    return { view: "image", repository, tag, digest: null };
  }
  const [before, after] = [query.get("compare") ?? "", query.get("with") ?? ""];
  if (isReference(before) && isReference(after)) {
    return { view: "compare", repository, before, after };
  }
  const show = query.get("show");
  const tab: Tab = show === "untagged" || show === "deleted" ? show : "tags";
  return { view: "repository", repository, tab };
}

export function isReference(text: string): boolean {
  return isTag(text) || isDigest(text);
}

/** The address of a view. */
export function href(route: Route): string {
  switch (route.view) {
    case "repositories":
      return BASE;
    case "usage":
      return `${BASE}_usage`;
    case "deleted":
      return `${BASE}_deleted`;
    case "find":
      return `${BASE}_find${query({ digest: route.digest })}`;
    case "repository":
      return pathOf(route.repository) + (route.tab === "tags" ? "" : `?show=${route.tab}`);
    case "image":
      return pathOf(route.repository) + query({ tag: route.tag, digest: route.digest });
    case "compare":
      return pathOf(route.repository) + query({ compare: route.before, with: route.after });
    case "unknown":
      return route.path;
  }
}

function pathOf(repository: string): string {
  return BASE + repository;
}

/** Digests are written with their colon, as people know them. */
function query(values: Record<string, string | null>): string {
  const given = Object.entries(values).filter(([, value]) => value !== null);
  const text = given.map(
    ([name, value]) => `${name}=${encodeURIComponent(value ?? "").replaceAll("%3A", ":")}`,
  );
  return text.length ? `?${text.join("&")}` : "";
}

export function imageHref(repository: string, reference: string): string {
  const isByDigest = reference.includes(":");
  return href({
    view: "image",
    repository,
    tag: isByDigest ? null : reference,
    digest: isByDigest ? reference : null,
  });
}

export function repositoryHref(repository: string, tab: Tab = "tags"): string {
  return href({ view: "repository", repository, tab });
}

/** The address one level up; null at the top. */
export function upHref(found: Route): string | null {
  switch (found.view) {
    case "repositories":
      return null;
    case "image":
    case "compare":
      return repositoryHref(found.repository);
    case "usage":
    case "deleted":
    case "find":
    case "repository":
    case "unknown":
      return BASE;
  }
}

/** What the heading, the window and the history call a view. */
export function titleOf(found: Route): string {
  switch (found.view) {
    case "repositories":
      return "Repositories";
    case "usage":
      return "Usage";
    case "deleted":
      return "Deleted";
    case "find":
      return "Find a digest";
    case "repository":
      return found.repository;
    case "image":
      return `${found.repository}${found.tag ? `:${found.tag}` : `@${(found.digest ?? "").slice(0, 19)}`}`;
    case "compare":
      return `${found.before} and ${found.after} of ${found.repository}`;
    case "unknown":
      return "Not found";
  }
}

export const route = signal<Route>({ view: "repositories" });
/** Counts the changes of the address. */
export const visits = signal(0);

export function readAddress(): void {
  route.value = parseRoute(location.pathname, location.search);
  visits.value += 1;
}

export function navigate(address: string, isReplacing = false): void {
  if (isReplacing) {
    history.replaceState(null, "", address);
  } else {
    history.pushState(null, "", address);
  }
  readAddress();
}

/** Links within the page change the view without loading the page anew. */
export function followLinks(): void {
  addEventListener("popstate", readAddress);
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const isPlain =
      event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (
      !link ||
      !isPlain ||
      event.defaultPrevented ||
      link.target ||
      link.getAttribute("href")?.startsWith("#") ||
      link.origin !== location.origin
    ) {
      return;
    }
    if (link.pathname.startsWith(BASE) || link.pathname === "/") {
      event.preventDefault();
      navigate(link.pathname + link.search);
    }
  });
  readAddress();
}
