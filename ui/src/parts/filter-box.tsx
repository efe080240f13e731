/** Filters a list while somebody types; a reference that is pasted is gone to. */

import { useRef } from "preact/hooks";
import { isExact, parseReference } from "../model/references";
import { href, imageHref, navigate, route } from "../routes";
import { useKeys } from "./keys";

interface Props {
  label: string;
  value: string;
  onFilter: (text: string) => void;
}

export function FilterBox({ label, value, onFilter }: Props) {
  const input = useRef<HTMLInputElement>(null);
  useKeys({
    "/": () => {
      input.current?.focus();
      input.current?.select();
    },
  });
  return (
    <input
      ref={input}
      class="filter"
      type="search"
      aria-label={label}
      placeholder={`${label}  /`}
      autocomplete="off"
      spellcheck={false}
      value={value}
      onInput={(event) => onFilter(event.currentTarget.value)}
      onPaste={(event) => {
        if (goTo(event.clipboardData?.getData("text/plain") ?? "")) {
          event.preventDefault();
        }
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") {
          onFilter("");
          event.currentTarget.blur();
        }
      }}
    />
  );
}

/** Goes to what a text names without doubt: a digest, a tag of a repository, a command. */
function goTo(text: string): boolean {
  const reference = parseReference(text);
  if (!reference || !isExact(reference)) {
    return false;
  }
  const here = "repository" in route.value ? route.value.repository : null;
  const repository = reference.repository ?? here;
  const what = reference.digest ?? reference.tag;
  if (what === null) {
    return false;
  }
  navigate(
    repository === null ? href({ view: "find", digest: what }) : imageHref(repository, what),
  );
  return true;
}
