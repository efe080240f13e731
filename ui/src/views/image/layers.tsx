/** The layers of an image: what made them, how large they are, and who else has them. */

import { useState } from "preact/hooks";
import { type Sharing, type Step, sharing, steps, totalSize } from "../../model/layers";
import type { Descriptor } from "../../model/manifest";
import { counted } from "../../model/text";
import { Bar } from "../../parts/bar";
import { TableBox } from "../../parts/boxes";
import { useResource } from "../../parts/use-resource";
import { Digest, Hostile, Size } from "../../parts/values";
import type { Loaded } from "./load";
import { loadNeighbours, type Neighbours } from "./neighbours";

/** So many tags are looked at first, and then. */
const FIRST = 20;
const THEN = 100;

interface Props {
  repository: string;
  image: Loaded;
  isDetailed: boolean;
}

export function Layers({ repository, image, isDetailed }: Props) {
  const [most, setMost] = useState(FIRST);
  const { manifest, config, digest } = image;
  const neighbours = useResource<Neighbours>(
    isDetailed ? `neighbours ${repository}@${digest} ${most}` : "",
    (signal) => loadNeighbours(repository, digest, config?.platform ?? null, most, signal),
  );
  const { layers } = manifest;
  const shared = neighbours.data ? sharing(layers, neighbours.data.found) : null;
  const largest = Math.max(1, ...layers.map((layer) => layer.size));
  const blobs = manifest.config ? [...layers, manifest.config] : layers;
  return (
    <section>
      <h2>Layers</h2>
      <Numbers blobs={blobs} shared={shared} neighbours={neighbours.data} />
      {neighbours.data && neighbours.data.looked >= most && most < THEN ? (
        <button type="button" class="small" onClick={() => setMost(THEN)}>
          Look at {THEN} tags
        </button>
      ) : null}
      <TableBox label="Layers">
        <table class="layers">
          <thead>
            <tr>
              <th class="figure">#</th>
              <th class="figure">Size</th>
              <th>
                <span class="offscreen">Share</span>
              </th>
              <th>Command</th>
              <th>Digest</th>
              <th>Also in</th>
            </tr>
          </thead>
          <tbody>
            {steps(layers, config).map((step, at) => (
              <LayerRow key={at} step={step} largest={largest} tags={tagsOf(step, shared)} />
            ))}
          </tbody>
        </table>
      </TableBox>
    </section>
  );
}

function tagsOf(step: Step, shared: Sharing | null): string[] {
  return (step.layer && shared?.tags.get(step.layer.digest)) ?? [];
}

interface NumbersProps {
  blobs: Descriptor[];
  shared: Sharing | null;
  neighbours: Neighbours | null;
}

/** The size is three numbers: to pull, of its own, and shared. */
function Numbers({ blobs, shared, neighbours }: NumbersProps) {
  const whole = totalSize(blobs);
  return (
    <dl class="numbers">
      <div>
        <dt>To pull</dt>
        <dd>
          <Size bytes={whole} />
        </dd>
      </div>
      {shared && neighbours ? (
        <>
          <div>
            <dt>Of its own</dt>
            <dd>
              <Size bytes={whole - shared.sharedSize} />
            </dd>
          </div>
          <div>
            <dt>Shared</dt>
            <dd>
              <Size bytes={shared.sharedSize} />
            </dd>
            <dd class="muted">with the {counted(neighbours.looked, "newest tag")}</dd>
          </div>
        </>
      ) : null}
    </dl>
  );
}

function LayerRow({ step, largest, tags }: { step: Step; largest: number; tags: string[] }) {
  const { layer } = step;
  return (
    <tr class={layer ? undefined : "is-empty"}>
      <td class="figure muted">{step.number || ""}</td>
      <td class="figure">{layer ? <Size bytes={layer.size} /> : null}</td>
      <td class="chart">
        {layer ? (
          <Bar parts={[{ share: layer.size / largest, tone: tags.length ? "shared" : "own" }]} />
        ) : null}
      </td>
      <td class="command">
        <Hostile text={step.command} />
      </td>
      <td>{layer ? <Digest digest={layer.digest} /> : null}</td>
      <td class="also" title={tags.join(", ")}>
        {tags.slice(0, 3).join(", ")}
        {tags.length > 3 ? ` +${tags.length - 3}` : ""}
      </td>
    </tr>
  );
}
