/** Text that others wrote: shown as it is, with what cannot be seen made visible. */

const LONGEST = 500;

/** Control characters, and those that turn or hide the text around them. */
const HIDDEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

function sign(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
}

/** The text with hidden characters as signs, of at most `longest` characters. */
export function visible(text: string, longest = LONGEST): string {
  const shown = text.replace(HIDDEN, sign);
  return shown.length > longest ? `${Array.from(shown).slice(0, longest).join("")}…` : shown;
}

/** The same for text of several lines, uncut: its line breaks and tabs stay. */
export function visibleLines(text: string): string {
  return text.replace(HIDDEN, (each) => (each === "\n" || each === "\t" ? each : sign(each)));
}

/** The address that a text is, if a link to it is harmless; else null. */
export function webAddress(text: string): URL | null {
  if (!URL.canParse(text)) {
    return null;
  }
  const address = new URL(text);
  const isWeb = address.protocol === "https:" || address.protocol === "http:";
  return isWeb && !address.username && !address.password ? address : null;
}

/** A count with its word: `1 tag`, `2 tags`. */
export function counted(count: number, word: string, words = `${word}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? word : words}`;
}
