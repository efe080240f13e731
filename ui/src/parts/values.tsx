/** Values as all views show them. */

import { signal } from "@preact/signals";
import { hue, shortDigest } from "../model/names";
import { exactSize, size } from "../model/sizes";
import { visible, webAddress } from "../model/text";
import { age, exactTime } from "../model/times";
import { imageHref } from "../routes";

/** The time of now, which moves on every half a minute. */
export const now = signal(Date.now());
setInterval(() => {
  now.value = Date.now();
}, 30_000);

export function Time({ time }: { time: string }) {
  return (
    <time dateTime={time} title={exactTime(time)}>
      {age(time, now.value)}
    </time>
  );
}

export function Size({ bytes }: { bytes: number | null | undefined }) {
  if (bytes === undefined) {
    return <span class="muted">…</span>;
  }
  return bytes === null ? (
    <span class="muted">–</span>
  ) : (
    <span title={exactSize(bytes)}>{size(bytes)}</span>
  );
}

export function Figure({ value }: { value: number | null | undefined }) {
  if (value === undefined) {
    return <span class="muted">…</span>;
  }
  return value === null ? <span class="muted">–</span> : <span>{value.toLocaleString("en")}</span>;
}

/** Text that others wrote. */
export function Hostile({ text, longest }: { text: string; longest?: number }) {
  return <bdi class="hostile">{visible(text, longest)}</bdi>;
}

interface DigestProps {
  digest: string;
  /** Whose manifest it is; without it there is no link. */
  repository?: string | undefined;
  isWhole?: boolean;
  isInRow?: boolean;
}

/** The same digest has the same stripe of colour everywhere. */
export function Digest({ digest, repository, isWhole = false, isInRow = false }: DigestProps) {
  const text = isWhole ? digest : shortDigest(digest);
  return (
    <span
      class={isWhole ? "digest is-whole" : "digest"}
      style={{ "--hue": String(hue(digest)) }}
      title={digest}
    >
      {repository ? (
        <a href={imageHref(repository, digest)} tabIndex={isInRow ? -1 : 0}>
          {text}
        </a>
      ) : (
        text
      )}
    </span>
  );
}

/** The annotations whose values are addresses by the image specification. */
const LINKED = /^org\.opencontainers\.image\.(?:url|source|documentation)$/;

/** Names and values that others wrote, such as labels. */
export function Pairs({ pairs }: { pairs: Record<string, string> }) {
  return (
    <dl class="pairs">
      {Object.entries(pairs).map(([name, value]) => (
        <div key={name}>
          <dt>
            <Hostile text={name} />
          </dt>
          <dd>
            <Value name={name} value={value} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Value({ name, value }: { name: string; value: string }) {
  const address = LINKED.test(name) ? webAddress(value) : null;
  return address ? (
    <a
      href={address.href}
      target="_blank"
      rel="noopener noreferrer"
      title={`Leads to ${address.host}`}
    >
      <Hostile text={value} />
    </a>
  ) : (
    <Hostile text={value} />
  );
}
