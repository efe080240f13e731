/** Times as people read them. */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS: [number, number, string][] = [
  [MINUTE, 1, "s"],
  [HOUR, MINUTE, "min"],
  [DAY, HOUR, "h"],
  [60 * DAY, DAY, "d"],
  [730 * DAY, 30 * DAY, "mo"],
];

/** How long ago: `3 d`. A clock that is behind makes no negative ages. */
export function age(time: string, now: number): string {
  const seconds = Math.max(0, (now - Date.parse(time)) / 1000);
  if (Number.isNaN(seconds)) {
    return "unknown";
  }
  for (const [below, length, unit] of STEPS) {
    if (seconds < below) {
      return `${Math.floor(seconds / length)} ${unit}`;
    }
  }
  return `${Math.floor(seconds / (365 * DAY))} y`;
}

/** The exact time, where the reader is. */
export function exactTime(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) {
    return time;
  }
  return date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "long" });
}

/** Whether a build has set its time to a constant, so that equal sources make equal images. */
export function isReproducible(created: string): boolean {
  const time = Date.parse(created);
  return !Number.isNaN(time) && time < Date.UTC(1981, 0, 1);
}
