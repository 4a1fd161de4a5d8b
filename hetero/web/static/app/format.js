// Numbers and times as people read them, in the language of the page.
import { language, t } from "./words.js";
import { now } from "./state.js";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const STEPS = [
  [86400, "day"],
  [3600, "hour"],
  [60, "minute"],
  [1, "second"],
];
const made = new Map();

// Making a formatter costs more than a hundred uses of it.
function formatter(kind, options) {
  const key = `${language()} ${kind.name} ${JSON.stringify(options)}`;
  if (!made.has(key)) made.set(key, new kind(language(), options));
  return made.get(key);
}

/** A number with at most so many digits behind the point. */
export function number(value, digits = 0) {
  return formatter(Intl.NumberFormat, { maximumFractionDigits: digits }).format(value);
}

/** Bytes in the unit that leaves one to four digits before the point. */
export function bytes(value) {
  let unit = value ? 2 : 0;
  let amount = value / 1024 ** unit;
  while (amount >= 1024 && unit < UNITS.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${number(amount, unit > 2 && amount < 100 ? 1 : 0)} ${UNITS[unit]}`;
}

/** A ratio in percent; small ones keep a digit. */
export function percent(value) {
  const digits = value > 0 && value < 0.0995 ? 1 : 0;
  return formatter(Intl.NumberFormat, { style: "percent", maximumFractionDigits: digits }).format(value);
}

/** Compute, in cards. */
export function cards(value) {
  return number(value, value < 100 ? 2 : 0);
}

/** How long ago that was, in the largest unit that fits. */
export function ago(seconds) {
  const age = Math.max(0, now() - seconds);
  if (age < 5) return t("time.now");
  const [size, unit] = STEPS.find(([step]) => age >= step) || STEPS.at(-1);
  return formatter(Intl.RelativeTimeFormat, { style: "short" }).format(-Math.floor(age / size), unit);
}

/** The moment itself, to the second. */
export function moment(seconds) {
  return formatter(Intl.DateTimeFormat, { dateStyle: "medium", timeStyle: "medium" }).format(seconds * 1000);
}

/** The time of day. */
export function clock(seconds) {
  return formatter(Intl.DateTimeFormat, { timeStyle: "medium" }).format(seconds * 1000);
}

/** A duration in seconds. */
export function duration(seconds) {
  return t("time.seconds", { seconds: number(seconds, seconds < 10 ? 2 : seconds < 100 ? 1 : 0) });
}
