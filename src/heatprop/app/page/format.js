// Numbers and times as the page writes them.

const COUNT = new Intl.NumberFormat("en");

/** Return a whole number with its thousands apart. */
export const count = (number) => COUNT.format(number);

/** Return "1 frame" or "7 frames". */
export const many = (number, one, several = `${one}s`) => `${count(number)} ${number === 1 ? one : several}`;

/** Return a time as 0:04.80, or 1:02:03.40. */
export function clock(seconds) {
  const whole = Math.max(0, seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = (Math.floor((whole % 60) * 100) / 100).toFixed(2).padStart(5, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** Return how long something takes, in words that need no precision. */
export function duration(seconds) {
  if (seconds < 1) return "a moment";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** Return a size in bytes as 12.5 MB. */
export function size(bytes) {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/** Return a score with two decimals. */
export const score = (value) => value.toFixed(2);

/** Return "car 14", or "car" where nobody numbered it. */
export const objectName = (name, id) => (id >= 0 ? `${name} ${id}` : name);
