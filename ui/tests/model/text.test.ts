import { describe, expect, it } from "vitest";
import { counted, visible, visibleLines, webAddress } from "../../src/model/text";

describe("visible", () => {
  it("shows control characters as signs", () => {
    expect(visible("a\u0000b\u001b[31mc\u007f\n")).toBe("a⟨U+0000⟩b⟨U+001B⟩[31mc⟨U+007F⟩⟨U+000A⟩");
  });

  it("names what turns, joins or hides text", () => {
    expect(visible("\u202egnp.exe\u2066x\u200b\ufeff\u2028")).toBe(
      "⟨U+202E⟩gnp.exe⟨U+2066⟩x⟨U+200B⟩⟨U+FEFF⟩⟨U+2028⟩",
    );
    expect(visible("\u{e0041}")).toBe("⟨U+E0041⟩");
  });

  it("cuts long text between characters", () => {
    expect(visible("😀".repeat(10), 4)).toBe("😀😀😀😀…");
    expect(visible("x".repeat(501))).toHaveLength(501);
  });

  it("leaves what people write as it is", () => {
    const text = "Grüße, 你好, שלום <b>&amp;</b>";
    expect(visible(text)).toBe(text);
  });

  it("keeps lines where text has several", () => {
    expect(visibleLines("a\n\tb\u001b")).toBe("a\n\tb⟨U+001B⟩");
  });
});

describe("webAddress", () => {
  it.each([
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "//x",
    "x",
    "",
    "https://a:b@c/",
  ])("links to nothing for %s", (text) => expect(webAddress(text)).toBeNull());

  it("takes the web", () => {
    expect(webAddress("https://git.example.com/team/app")?.host).toBe("git.example.com");
  });

  it("is not fooled by what a browser strips", () => {
    expect(webAddress("java\nscript:alert(1)")).toBeNull();
  });
});

it("counts in words", () => {
  expect(counted(1, "tag")).toBe("1 tag");
  expect(counted(1200, "repository", "repositories")).toBe("1,200 repositories");
});
