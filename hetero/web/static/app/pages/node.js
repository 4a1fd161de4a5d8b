// One node: its cards, drawn with their slices.
import { html } from "../html.js";
import { to } from "../route.js";
import { state } from "../state.js";
import { t } from "../words.js";
import { AmountRow, hue, Vendor } from "../parts/bars.js";
import { Card } from "../parts/card.js";
import { History } from "../parts/chart.js";
import { Ago, Figure } from "../parts/figures.js";

export const source = ({ rest }) => `nodes/${encodeURIComponent(rest[0])}`;
export const title = ({ rest }) => rest[0];

export function View({ data }) {
  const { node } = data;
  const name = `node.${node.name}`;
  return html`
    <p class="trail"><a href=${to("nodes")}>${t("page.nodes")}</a> /</p>
    <h1 tabindex="-1">${node.name}</h1>
    ${node.problem && html`<p class="banner" lang="en">${node.problem}</p>`}
    <section class="panel" aria-label=${t("node.summary")}>
      <p class="counts">
        ${node.vendors.map((vendor) => html`<${Vendor} key=${vendor} name=${vendor} />`)}
        <span><${Figure} name="${name}.cards" value=${node.cards} />${" "}${t("vendor.cards", { n: node.cards })}</span>
        <span class=${node.unhealthy ? "bad-text" : ""}
          ><${Figure}
            name="${name}.unhealthy"
            value=${node.unhealthy}
          />${" "}${t("vendor.unhealthy", { n: node.unhealthy })}</span
        >
        <span
          ><${Figure} name="${name}.slices" value=${node.slices} />${" "}${t("vendor.slices", { n: node.slices })}</span
        >
        <span>${t("column.reported")}: <${Ago} name="${name}.reported" value=${node.reported} /></span>
        <a href=${to("workloads", [], { search: node.name })}>${t("node.workloads")}</a>
      </p>
      <div class="two">
        <${AmountRow} name="${name}.memory" amount=${node.memory} kind="memory" hue=${hue(node.vendors[0] || "")} />
        <${AmountRow} name="${name}.compute" amount=${node.compute} kind="compute" hue=${hue(node.vendors[0] || "")} />
      </div>
    </section>
    <section class="cards" aria-label=${t("page.cards")}>
      ${data.cards.map((card) => html`<${Card} key=${card.uuid} card=${card} node=${false} />`)}
    </section>
    ${state.session?.history && html`<${History} of="node" name=${node.name} />`}
  `;
}
