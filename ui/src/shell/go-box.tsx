/** One box for whatever somebody has at hand: a name, a digest, a reference, a whole command. */

import { useId, useRef, useState } from "preact/hooks";
import { isExact, parseReference, type Reference } from "../model/references";
import { visible } from "../model/text";
import { catalogNames } from "../parts/catalog";
import { useKeys } from "../parts/keys";
import { href, imageHref, navigate, type Route, repositoryHref, route } from "../routes";

interface Offer {
  text: string;
  note: string;
  address: string;
}

const MOST = 8;

export function GoBox() {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const [isOpen, setOpen] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  useKeys({ g: () => input.current?.focus() });

  const offers = isOpen && text.trim() ? offersFor(text, route.value, catalogNames.value) : [];
  const at = Math.min(chosen, Math.max(0, offers.length - 1));
  const go = (offer: Offer | undefined): void => {
    if (offer) {
      setText("");
      setOpen(false);
      navigate(offer.address);
    }
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      setChosen(Math.max(0, Math.min(at + step, offers.length - 1)));
    } else if (event.key === "Enter") {
      go(offers[at]);
    } else if (event.key === "Escape") {
      setOpen(false);
      input.current?.blur();
    }
  };
  return (
    <div class="go-box">
      <input
        ref={input}
        type="text"
        role="combobox"
        aria-label="Go to a repository, tag or digest"
        aria-expanded={offers.length > 0}
        aria-controls={id}
        aria-activedescendant={offers.length ? `${id}-${at}` : undefined}
        aria-autocomplete="list"
        placeholder="Go to: paste anything"
        autocomplete="off"
        spellcheck={false}
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setChosen(0);
          setOpen(true);
        }}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
      />
      <div
        class="offers"
        role="listbox"
        id={id}
        aria-label="Where to go"
        hidden={offers.length === 0}
      >
        {offers.map((offer, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the box
          // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the box
          <div
            key={offer.address + offer.note}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === at}
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => go(offer)}
          >
            <bdi>{offer.text}</bdi> <span class="muted">{offer.note}</span>
          </div>
        ))}
      </div>
    </div>
  );
}

/** Where a text may lead to, the likeliest first. */
export function offersFor(text: string, current: Route, names: string[]): Offer[] {
  const reference = parseReference(text);
  const exact = reference && isExact(reference) ? offerOf(reference, current) : null;
  const word = (reference?.repository ?? text.trim()).toLowerCase();
  const found = names
    .filter((name) => name.includes(word))
    .sort((one, other) => rank(one, word) - rank(other, word));
  const offers = found
    .slice(0, MOST)
    .map((name) => ({ text: name, note: "", address: repositoryHref(name) }));
  const isUnlisted = reference?.repository && !exact && !names.includes(reference.repository);
  const unlisted = isUnlisted && reference.repository ? [nameOffer(reference.repository)] : [];
  return [...(exact ? [exact] : []), ...offers, ...unlisted];
}

function nameOffer(name: string): Offer {
  return { text: name, note: "open by its name", address: repositoryHref(name) };
}

/** Names that begin with the word, or whose last level does, go first. */
function rank(name: string, word: string): number {
  const last = name.slice(name.lastIndexOf("/") + 1);
  if (name === word) {
    return 0;
  }
  return name.startsWith(word) || last.startsWith(word) ? 1 : 2;
}

function offerOf(reference: Reference, current: Route): Offer | null {
  const here = "repository" in current ? current.repository : null;
  const repository = reference.repository ?? here;
  const what = reference.digest ?? reference.tag;
  if (repository === null) {
    const digest = what ?? "";
    const address = href({ view: "find", digest });
    return { text: digest.slice(0, 26), note: "look for it in all repositories", address };
  }
  const note =
    reference.host && reference.host !== location.host
      ? `named at ${visible(reference.host, 60)}`
      : "";
  if (what === null) {
    return { text: repository, note, address: repositoryHref(repository) };
  }
  const text = `${repository}${reference.digest ? "@" : ":"}${what.slice(0, 26)}`;
  return { text, note, address: imageHref(repository, what) };
}
