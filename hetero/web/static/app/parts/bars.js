// Bars, drawn to scale: what is used lies inside what is allocated, which lies inside what there is.
import { html } from "../html.js";
import { percent } from "../format.js";
import { t } from "../words.js";
import { Figure, KINDS, left, share } from "./figures.js";

/** A length as a style: set through the object model, which the content security policy allows. */
export function wide(ratio) {
  return { width: `${(Math.min(1, Math.max(0, ratio)) * 100).toFixed(3)}%` };
}

/** One amount as a bar, told in words to those who do not see it. */
export function AmountBar({ amount, kind, hue }) {
  const { show, label } = KINDS[kind];
  const used = amount.used ?? null;
  const said = t(used === null ? "bar.said.unknown" : "bar.said", {
    what: label(),
    allocated: show(amount.allocated),
    used: used === null ? "" : show(used),
    capacity: show(amount.capacity),
  });
  return html`<span class="bar hue-${hue ?? 0}" role="img" aria-label=${said} data-tip=${said}>
    ${amount.shared > 0 && html`<span class="bar-shared" style=${wide(share(amount.allocated + amount.shared, amount.capacity))}></span>`}
    <span class="bar-allocated" style=${wide(share(amount.allocated, amount.capacity))}></span>
    <span class="bar-used" style=${wide(share(used ?? 0, amount.capacity))}></span>
  </span>`;
}

/**
 * A bar with its figures: allocated, used and idle, each with its part of the whole, and beside them what slices without
 * a limit share, where there are any.
 */
export function AmountRow({ name, amount, kind, hue }) {
  const { show, label } = KINDS[kind];
  const known = amount.known > 0 ? amount.used : null;
  const rows = [
    ["allocated", amount.allocated, share(amount.allocated, amount.capacity)],
    ["used", known, share(known ?? 0, amount.known)],
    ...(amount.shared ? [["shared", amount.shared, share(amount.shared, amount.capacity)]] : []),
    ["idle", left(amount), share(left(amount), amount.capacity)],
  ];
  return html`<div class="amount">
    <div class="amount-head">
      <span>${label()}</span>
      <span class="muted"><${Figure} name="${name}.capacity" value=${amount.capacity} show=${show} /></span>
    </div>
    <${AmountBar} amount=${amount} kind=${kind} hue=${hue} />
    <dl class="amount-parts">
      ${rows.map(
        ([part, value, ratio]) =>
          html`<div key=${part} class="part-${part}">
            <dt>${t(`amount.${part}`)}</dt>
            <dd>
              <${Figure} name="${name}.${part}" value=${value} show=${show} />
              <span class="muted">${value === null ? "" : percent(ratio)}</span>
            </dd>
          </div>`,
      )}
    </dl>
  </div>`;
}

/** An amount in a cell of a table: its bar, and allocated of capacity. */
export function AmountCell({ name, amount, kind, hue }) {
  const { show } = KINDS[kind];
  return html`<span class="amount-cell">
    <span class="amount-line">
      <span
        ><${Figure} name="${name}.allocated" value=${amount.allocated} show=${show} />${" / "}<${Figure}
          name="${name}.capacity"
          value=${amount.capacity}
          show=${show}
      /></span>
      <span class="muted"
        >${t("amount.used.short")} <${Figure} name="${name}.used" value=${amount.used} show=${show}
      /></span>
    </span>
    <${AmountBar} amount=${amount} kind=${kind} hue=${hue} />
  </span>`;
}

const HUES = 6;

/** The colour of a vendor: by its name's sum, because the page knows no vendor; the name always stands beside it. */
export function hue(name) {
  let sum = 0;
  for (const letter of name) sum = (sum * 37 + letter.codePointAt(0)) % 1021;
  return sum % HUES;
}

/** The name of a vendor with its colour. */
export function Vendor({ name, title }) {
  return html`<span class="vendor"
    ><span class="swatch hue-${hue(name)}" aria-hidden="true"></span>${title || name}</span
  >`;
}
