/** Light, dark, or as the system has it. */

import { signal } from "@preact/signals";

type Theme = "system" | "light" | "dark";

const KEPT = "slipway.theme";
const theme = signal<Theme>("system");

function parse(text: string | null): Theme {
  return text === "light" || text === "dark" ? text : "system";
}

function apply(wanted: Theme): void {
  theme.value = wanted;
  if (wanted === "system") {
    delete document.documentElement.dataset["theme"];
  } else {
    document.documentElement.dataset["theme"] = wanted;
  }
}

export function restoreTheme(): void {
  apply(parse(localStorage.getItem(KEPT)));
}

export function ThemeChoice() {
  return (
    <select
      class="quiet"
      aria-label="Theme"
      value={theme.value}
      onChange={(event) => {
        const wanted = parse(event.currentTarget.value);
        localStorage.setItem(KEPT, wanted);
        apply(wanted);
      }}
    >
      <option value="system">System</option>
      <option value="light">Light</option>
      <option value="dark">Dark</option>
    </select>
  );
}
