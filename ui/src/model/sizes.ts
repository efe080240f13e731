/** Bytes as people read them. */

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Three figures and a unit: `31.4 MB`. */
export function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** Every byte, for whoever wants to know. */
export function exactSize(bytes: number): string {
  return `${bytes.toLocaleString("en")} bytes`;
}

/** A share in percent: `<1 %` rather than 0 for what is there. */
export function share(part: number, whole: number): string {
  if (whole <= 0 || part <= 0) {
    return "0 %";
  }
  const percent = (100 * part) / whole;
  return percent < 1 ? "<1 %" : `${Math.round(percent)} %`;
}
