// All cards, drawn to scale, a page at a time.
import { html } from "../html.js";
import { asked } from "../route.js";
import { state } from "../state.js";
import { t } from "../words.js";
import { Card } from "../parts/card.js";
import { Empty } from "../parts/states.js";
import { Choice, Pager, Tools } from "../parts/tools.js";

const LIMIT = 48; // full rows of two, three, four and six
const SORTS = ["node", "memory", "compute", "idle", "temperature", "power"];
const STATES = ["idle", "shared", "full", "unhealthy"];

export const source = ({ query: { search, vendor, model, node, state: is, sort, order, offset } }) =>
  `cards${asked({ search, vendor, model, node, state: is, sort, order, offset, limit: LIMIT })}`;
export const title = () => t("page.cards");

export function View({ data }) {
  return html`
    <h1 tabindex="-1">${title()}</h1>
    <${Tools} label=${t("search.cards")} total=${data.total}>
      <${Choice}
        label=${t("column.state")}
        name="state"
        options=${[["", t("choice.any")], ...STATES.map((one) => [one, t(`state.${one}`)])]}
      />
      <${Choice}
        label=${t("sort.by")}
        name="sort"
        options=${[["", t("sort.node")], ...SORTS.slice(1).map((one) => [one, t(`sort.${one}`)])]}
      />
      <${Choice}
        label=${t("sort.order")}
        name="order"
        options=${[
          ["", t("sort.default")],
          ["asc", t("sort.asc")],
          ["desc", t("sort.desc")],
        ]}
      />
      ${state.route.query.vendor && html`<a class="button" href="#/cards">${state.route.query.vendor} ×</a>`}
    <//>
    <${Key} />
    ${
      data.items.length
        ? html`<div class="cards">
            ${data.items.map((card) => html`<${Card} key=${`${card.node}/${card.uuid}`} card=${card} />`)}
          </div>`
        : html`<${Empty} title=${t("cards.empty")}
            >${Object.keys(state.route.query).length ? t("search.none") : t("overview.empty.do")}<//
          >`
    }
    <${Pager} total=${data.total} shown=${data.items.length} limit=${LIMIT} />
  `;
}

// What the drawings mean; said once above them.
function Key() {
  return html`<p class="key" aria-hidden="true">
    ${["allocated", "used", "placed", "yielding", "reserved", "unlimited"].map(
      (one) => html`<span key=${one}><span class="sample sample-${one}"></span>${t(`key.${one}`)}</span>`,
    )}
  </p>`;
}
