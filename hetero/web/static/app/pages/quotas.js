// What namespaces may have, and have.
import { html } from "../html.js";
import { number } from "../format.js";
import { asked, to } from "../route.js";
import { state } from "../state.js";
import { t } from "../words.js";
import { wide } from "../parts/bars.js";
import { Figure, share } from "../parts/figures.js";
import { Empty } from "../parts/states.js";
import { Table } from "../parts/table.js";
import { Pager, Tools } from "../parts/tools.js";

const LIMIT = 50;
const UNITS = { percent: "%" }; // the same in all languages; others are the resource's own

export const source = ({ query: { search, namespace, offset } }) =>
  `quotas${asked({ search, namespace, offset, limit: LIMIT })}`;
export const title = () => t("page.quotas");

export function View({ data }) {
  return html`
    <h1 tabindex="-1">${title()}</h1>
    <${Tools} label=${t("search.quotas")} total=${data.total} />
    ${
      data.items.length
        ? html`<${Table}
            label=${title()}
            columns=${columns()}
            rows=${data.items}
            id=${(one) => `${one.namespace}/${one.quota}/${one.resource}`}
          />`
        : html`<${Empty} title=${t("quotas.empty")}
            >${state.route.query.search ? t("search.none") : t("quotas.empty.do")}<//
          >`
    }
    <${Pager} total=${data.total} shown=${data.items.length} limit=${LIMIT} />
  `;
}

function columns() {
  const name = (one) => `quota.${one.namespace}/${one.quota}/${one.resource}`;
  return [
    {
      key: "namespace",
      label: t("column.namespace"),
      cell: (one) => html`<a href=${to("workloads", [], { namespace: one.namespace })}>${one.namespace}</a>`,
    },
    { key: "quota", label: t("column.quota"), cell: (one) => one.quota },
    { key: "resource", label: t("column.resource"), cell: (one) => html`<code>${one.resource}</code>` },
    {
      key: "used",
      label: t("amount.used"),
      number: true,
      cell: (one) =>
        html`<${Figure} name="${name(one)}.used" value=${one.used} />${" / "}
          <${Figure} name="${name(one)}.limit" value=${one.limit} /> ${UNITS[one.unit] ?? one.unit}`,
    },
    { key: "share", label: t("column.share"), cell: (one) => html`<${Share} one=${one} />` },
  ];
}

function Share({ one }) {
  const ratio = share(one.used, one.limit);
  const said = t("quota.said", { used: number(one.used), limit: number(one.limit) });
  return html`<span class="bar hue-0 ${ratio >= 1 ? "bar-full" : ""}" role="img" aria-label=${said}
    ><span class="bar-used" style=${wide(ratio)}></span
  ></span>`;
}
