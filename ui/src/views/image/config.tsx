/** How an image is run, and what its builder says of it. */

import { environment, settings } from "../../model/compare";
import type { ImageConfig } from "../../model/manifest";
import { Pairs } from "../../parts/values";

export function ConfigSections({ config }: { config: ImageConfig }) {
  const sections: [string, Record<string, string>][] = [
    ["Config", settings(config)],
    ["Environment", environment(config)],
    ["Labels", config.labels],
  ];
  return (
    <>
      {sections
        .filter(([, pairs]) => Object.keys(pairs).length > 0)
        .map(([title, pairs]) => (
          <section key={title}>
            <h2>{title}</h2>
            <Pairs pairs={pairs} />
          </section>
        ))}
    </>
  );
}
