import { defineConfig } from "vitest/config";

/** Where the registry is while this is developed (`npm run dev`). */
const registry = process.env["REGISTRY"] ?? "http://localhost:7071";

export default defineConfig({
  base: "/ui/",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: "es2022",
    // No repository begins with an underscore, so none has this address.
    assetsDir: "_assets",
    // The policy of the page forbids `data:`.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    cssCodeSplit: false,
    sourcemap: false,
  },
  server: {
    proxy: Object.fromEntries(
      ["/v2", "/acr", "/oauth2", "/ui/_settings.json"].map((path) => [path, registry]),
    ),
  },
  test: {
    // A file that needs a document says so itself.
    environment: "node",
    include: ["tests/**/*.test.{ts,tsx}"],
  },
});
