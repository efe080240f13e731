// @vitest-environment happy-dom

import { type ComponentChildren, render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, describe, expect, it } from "vitest";
import { type Keys, listenToKeys, useKeys } from "../../src/parts/keys";
import { Hostile, Pairs } from "../../src/parts/values";

listenToKeys();

function Listening({ keys }: { keys: Keys }) {
  useKeys(keys);
  return <input />;
}

const press = (target: EventTarget, key: string, more: KeyboardEventInit = {}): void => {
  target.dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }),
  );
};
const show = (content: ComponentChildren): Promise<void> =>
  act(() => render(content, document.body));

afterEach(() => render(null, document.body));

describe("keys", () => {
  it("do nothing where somebody types, or holds a modifier", async () => {
    const pressed: string[] = [];
    await show(<Listening keys={{ c: () => pressed.push("c") }} />);
    press(document.body, "c");
    press(document.querySelector("input") ?? document.body, "c");
    press(document.body, "c", { ctrlKey: true });
    press(document.body, "toString");
    expect(pressed).toEqual(["c"]);
  });

  it("belong to what was added last, and to what is there", async () => {
    const pressed: string[] = [];
    const inner = <Listening keys={{ c: () => pressed.push("inner") }} />;
    const outer = <Listening keys={{ c: () => pressed.push("outer") }} />;
    await show([outer, inner]);
    press(document.body, "c");
    await show([outer]);
    press(document.body, "c");
    expect(pressed).toEqual(["inner", "outer"]);
  });
});

describe("what others wrote", () => {
  it("is text and nothing else", () => {
    render(<Hostile text={'<img src=x onerror="alert(1)">\u202e'} />, document.body);
    expect(document.querySelector("img")).toBeNull();
    expect(document.body.textContent).toBe('<img src=x onerror="alert(1)">⟨U+202E⟩');
  });

  it("is a link only where the specification has one, and only to the web", () => {
    const pairs = {
      "org.opencontainers.image.url": "javascript:alert(1)",
      "org.opencontainers.image.source": "https://git.example.com/a",
      "org.opencontainers.image.vendor": "https://vendor.example.com/",
    };
    render(<Pairs pairs={pairs} />, document.body);
    const links = [...document.querySelectorAll("a")];
    expect(links.map((link) => link.getAttribute("href"))).toEqual(["https://git.example.com/a"]);
    expect(links[0]?.rel).toBe("noopener noreferrer");
  });
});
