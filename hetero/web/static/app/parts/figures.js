// A figure carries its exact value beside what is shown of it, so that a test, and a script, can hold it to its source.
import { html } from "../html.js";
import { ago, bytes, cards, moment, number, percent } from "../format.js";
import { t } from "../words.js";

/** A value that may be unknown: null is told, and never shown as nothing. */
export function Figure({ name, value, show = number, title }) {
  const unknown = value === null || value === undefined;
  return html`<data
    class=${unknown ? "figure unknown" : "figure"}
    data-figure=${name}
    data-value=${String(unknown ? null : value)}
    value=${String(unknown ? null : value)}
    title=${unknown ? t("figure.unknown") : title}
    >${unknown ? "–" : show(value)}</data
  >`;
}

export const Bytes = (properties) => Figure({ ...properties, show: bytes });
export const Percent = (properties) => Figure({ ...properties, show: percent });
export const Cards = (properties) => Figure({ ...properties, show: cards });

/** A moment in the past, as an age; the moment itself is in its title. */
export function Ago({ name, value }) {
  if (!value) return html`<${Figure} name=${name} value=${null} />`;
  return html`<time
    data-figure=${name}
    data-value=${String(value)}
    datetime=${new Date(value * 1000).toISOString()}
    title=${moment(value)}
    >${ago(value)}</time
  >`;
}

/** How a kind of amount is written. */
export const KINDS = {
  memory: { show: bytes, label: () => t("memory") },
  compute: { show: cards, label: () => t("compute") },
};

/** What is left of an amount for nobody, exactly as it is computed everywhere. */
export function left(amount) {
  return Math.max(0, amount.capacity - amount.allocated - (amount.shared ?? 0));
}

/** A part of a whole; 0 where there is no whole. */
export function share(part, whole) {
  return whole > 0 ? part / whole : 0;
}
