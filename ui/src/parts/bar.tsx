/** Shares as bars. What they say stands in text beside them as well. */

export interface Part {
  share: number;
  tone: "own" | "shared" | "added" | "removed" | "rest";
}

/** Parts of 1, side by side. */
export function Bar({ parts }: { parts: Part[] }) {
  let left = 0;
  const placed = parts.map((part) => {
    const x = left;
    left += part.share * 100;
    return { ...part, x, width: part.share * 100 };
  });
  return (
    <svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
      <rect class="track" width="100" height="8" />
      {placed.map((part) => (
        <rect key={part.x} class={part.tone} x={part.x} width={part.width} height="8" />
      ))}
    </svg>
  );
}
