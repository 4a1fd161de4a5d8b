// All nodes, a page at a time.
import { html } from "../html.js";
import { asked, to } from "../route.js";
import { state } from "../state.js";
import { t } from "../words.js";
import { AmountCell, hue, Vendor } from "../parts/bars.js";
import { Ago, Figure } from "../parts/figures.js";
import { Empty } from "../parts/states.js";
import { Table } from "../parts/table.js";
import { Pager, Tools } from "../parts/tools.js";

const LIMIT = 50;

export const source = ({ query: { search, vendor, sort, order, offset } }) =>
  `nodes${asked({ search, vendor, sort, order, offset, limit: LIMIT })}`;
export const title = () => t("page.nodes");

export function View({ data }) {
  return html`
    <h1 tabindex="-1">${title()}</h1>
    <${Tools} label=${t("search.nodes")} total=${data.total} />
    ${
      data.items.length
        ? html`<${Table} label=${title()} columns=${columns()} rows=${data.items} id=${(node) => node.name} />`
        : html`<${Empty} title=${t("nodes.empty")}
            >${state.route.query.search ? t("search.none") : t("overview.empty.do")}<//
          >`
    }
    <${Pager} total=${data.total} shown=${data.items.length} limit=${LIMIT} />
  `;
}

function columns() {
  const name = (node) => `node.${node.name}`;
  return [
    {
      key: "name",
      label: t("column.node"),
      sort: "name",
      cell: (node) => html`<a href=${to("nodes", [node.name])}>${node.name}</a>`,
    },
    { key: "models", label: t("column.models"), cell: (node) => html`<${Models} node=${node} />` },
    {
      key: "cards",
      label: t("column.cards"),
      sort: "cards",
      number: true,
      cell: (node) => html`<${Counted} node=${node} name=${name(node)} />`,
    },
    {
      key: "slices",
      label: t("column.slices"),
      sort: "slices",
      number: true,
      cell: (node) => html`<${Figure} name="${name(node)}.slices" value=${node.slices} />`,
    },
    {
      key: "memory",
      label: t("memory"),
      sort: "memory",
      cell: (node) =>
        html`<${AmountCell}
          name="${name(node)}.memory"
          amount=${node.memory}
          kind="memory"
          hue=${hue(node.vendors[0] || "")}
        />`,
    },
    {
      key: "compute",
      label: t("compute"),
      sort: "compute",
      cell: (node) =>
        html`<${AmountCell}
          name="${name(node)}.compute"
          amount=${node.compute}
          kind="compute"
          hue=${hue(node.vendors[0] || "")}
        />`,
    },
    { key: "reported", label: t("column.reported"), cell: (node) => html`<${Reported} node=${node} />` },
  ];
}

function Models({ node }) {
  return html`<span class="models">
    ${node.vendors.map((vendor) => html`<${Vendor} key=${vendor} name=${vendor} />`)}
    ${Object.entries(node.models).map(([model, count]) => html`<span key=${model} class="muted">${count} × ${model}</span>`)}
  </span>`;
}

function Counted({ node, name }) {
  return html`${node.unhealthy > 0 && html`<span class="badge bad">${t("nodes.unhealthy", { n: node.unhealthy })}</span> `}<${Figure}
      name="${name}.cards"
      value=${node.cards}
    />`;
}

/** When a node was last heard of, or why it is not. */
export function Reported({ node }) {
  return node.problem
    ? html`<span class="badge warn" title=${node.problem} lang="en">${t("nodes.silent")}</span>`
    : html`<${Ago} name="node.${node.name}.reported" value=${node.reported} />`;
}
