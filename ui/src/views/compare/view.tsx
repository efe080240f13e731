/** Two tags side by side. */

import { useState } from "preact/hooks";
import {
  type Change,
  type Comparison,
  compareImages,
  type LayerLine,
  type Line,
} from "../../model/compare";
import { totalSize } from "../../model/layers";
import { size } from "../../model/sizes";
import { counted } from "../../model/text";
import { Bar } from "../../parts/bar";
import { TableBox } from "../../parts/boxes";
import { Crumbs } from "../../parts/crumbs";
import { Failure, Loading } from "../../parts/states";
import { useResource } from "../../parts/use-resource";
import { Digest, Hostile, Size } from "../../parts/values";
import { href, imageHref, repositoryHref } from "../../routes";
import { loadSides, type Side, type Sides } from "./load";

interface Props {
  repository: string;
  before: string;
  after: string;
}

export function CompareView({ repository, before, after }: Props) {
  const [platform, setPlatform] = useState("");
  const found = useResource<Sides>(
    `compare ${repository} ${before} ${after} ${platform}`,
    (signal) => loadSides(repository, before, after, platform, { signal }),
  );
  const sides = found.data;
  return (
    <div class="page">
      <div class="heading">
        <Crumbs repository={repository} what=" compared" href={repositoryHref(repository)} />
        <span class="space" />
        <a
          class="button"
          href={href({ view: "compare", repository, before: after, after: before })}
        >
          Swap
        </a>
      </div>
      {found.error ? <Failure error={found.error} onRetry={found.reload} /> : null}
      {found.isLoading && !sides ? <Loading what="both images" /> : null}
      {sides ? (
        <>
          {sides.platforms.length > 1 ? (
            <Platforms
              names={sides.platforms}
              chosen={platform || (sides.platforms[0] ?? "")}
              onChoose={setPlatform}
            />
          ) : null}
          <Differences repository={repository} before={before} after={after} sides={sides} />
        </>
      ) : null}
    </div>
  );
}

function Platforms({
  names,
  chosen,
  onChoose,
}: {
  names: string[];
  chosen: string;
  onChoose: (name: string) => void;
}) {
  return (
    <label class="inline">
      Platform{" "}
      <select value={chosen} onChange={(event) => onChoose(event.currentTarget.value)}>
        {names.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function Differences({ repository, before, after, sides }: Props & { sides: Sides }) {
  const comparison: Comparison = compareImages(sides.before.image, sides.after.image);
  const tables: [string, Line[]][] = [
    ["Config", comparison.settings],
    ["Environment", comparison.environment],
    ["Labels", comparison.labels],
    ["Annotations", comparison.annotations],
  ];
  return (
    <>
      <dl class="numbers">
        <SideHead repository={repository} name={before} side={sides.before} />
        <SideHead repository={repository} name={after} side={sides.after} />
        <div>
          <dt>Difference</dt>
          <dd>{difference(sides)}</dd>
          <dd class="muted">{addedText(comparison.layers)}</dd>
        </div>
      </dl>
      {sides.before.imageDigest === sides.after.imageDigest ? (
        <p>Both are the same image.</p>
      ) : null}
      <LayerTable lines={comparison.layers} before={before} after={after} />
      {tables.map(([title, lines]) => (
        <LineTable key={title} title={title} lines={lines} before={before} after={after} />
      ))}
    </>
  );
}

function SideHead({ repository, name, side }: { repository: string; name: string; side: Side }) {
  return (
    <div>
      <dt>
        <a href={imageHref(repository, name)}>{name.slice(0, 40)}</a>
      </dt>
      <dd>
        <Size bytes={totalSize(side.image.manifest.layers)} />
      </dd>
      <dd>
        <Digest digest={side.imageDigest} repository={repository} />
      </dd>
    </div>
  );
}

function difference(sides: Sides): string {
  const bytes =
    totalSize(sides.after.image.manifest.layers) - totalSize(sides.before.image.manifest.layers);
  return bytes === 0 ? "0 B" : `${bytes > 0 ? "+" : "−"}${size(Math.abs(bytes))}`;
}

function addedText(lines: LayerLine[]): string {
  const added = lines.filter((line) => line.change === "added").map((line) => line.layer);
  return added.length
    ? `to update, ${counted(added.length, "layer")} with ${size(totalSize(added))} to pull`
    : "no layer to pull";
}

const SIGNS: Record<Change, string> = { same: "", added: "+", removed: "−", changed: "~" };
const WORDS: Record<Change, string> = {
  same: "the same",
  added: "added",
  removed: "removed",
  changed: "changed",
};

function Sign({ change }: { change: Change }) {
  return (
    <td class="sign">
      <span aria-hidden="true">{SIGNS[change]}</span>
      <span class="offscreen">{WORDS[change]}</span>
    </td>
  );
}

interface TableProps {
  before: string;
  after: string;
}

function LayerTable({ lines, before, after }: TableProps & { lines: LayerLine[] }) {
  const largest = Math.max(1, ...lines.map((line) => line.layer.size));
  return (
    <section>
      <h2>Layers</h2>
      <TableBox label="Layers">
        <table class="layers">
          <thead>
            <tr>
              <th>
                <span class="offscreen">Change</span>
              </th>
              <th class="figure">Size</th>
              <th>
                <span class="offscreen">Share</span>
              </th>
              <th>Digest</th>
              <th>In</th>
            </tr>
          </thead>
          <tbody>
            {lines.map((line, at) => (
              <tr key={at} data-change={line.change}>
                <Sign change={line.change} />
                <td class="figure">
                  <Size bytes={line.layer.size} />
                </td>
                <td class="chart">
                  <Bar parts={[{ share: line.layer.size / largest, tone: toneOf(line.change) }]} />
                </td>
                <td>
                  <Digest digest={line.layer.digest} />
                </td>
                <td>{inWhich(line.change, before, after)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableBox>
    </section>
  );
}

function toneOf(change: Change): "shared" | "added" | "removed" {
  return change === "added" || change === "removed" ? change : "shared";
}

function inWhich(change: Change, before: string, after: string): string {
  if (change === "same") {
    return "both";
  }
  return (change === "added" ? after : before).slice(0, 40);
}

function LineTable({ title, lines, before, after }: TableProps & { title: string; lines: Line[] }) {
  const [isAll, setAll] = useState(false);
  const differing = lines.filter((line) => line.change !== "same");
  const same = lines.length - differing.length;
  if (lines.length === 0) {
    return null;
  }
  return (
    <section>
      <h2>{title}</h2>
      {differing.length || isAll ? (
        <TableBox label={title}>
          <table class="compared">
            <thead>
              <tr>
                <th>
                  <span class="offscreen">Change</span>
                </th>
                <th>Name</th>
                <th>{before.slice(0, 40)}</th>
                <th>{after.slice(0, 40)}</th>
              </tr>
            </thead>
            <tbody>
              {(isAll ? lines : differing).map((line) => (
                <tr key={line.name} data-change={line.change}>
                  <Sign change={line.change} />
                  <th scope="row">
                    <Hostile text={line.name} longest={120} />
                  </th>
                  <td>{line.before === null ? null : <Hostile text={line.before} />}</td>
                  <td>{line.after === null ? null : <Hostile text={line.after} />}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableBox>
      ) : null}
      {same ? (
        <button type="button" class="small" onClick={() => setAll(!isAll)}>
          {isAll ? "Only what differs" : `${counted(same, "line")} the same`}
        </button>
      ) : null}
    </section>
  );
}
