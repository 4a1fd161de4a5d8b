// The first page: what each vendor's cards are promised and used for, which cards idle, and who waits.
import { html } from "../html.js";
import { to } from "../route.js";
import { state } from "../state.js";
import { t } from "../words.js";
import { AmountRow, hue, Vendor } from "../parts/bars.js";
import { Card } from "../parts/card.js";
import { History } from "../parts/chart.js";
import { Ago, Figure } from "../parts/figures.js";
import { Asks } from "../parts/reasons.js";
import { Empty } from "../parts/states.js";
import { Table } from "../parts/table.js";

export const source = () => "overview";
export const title = () => t("page.overview");

export function View({ data }) {
  if (!data.cards)
    return html`<h1 class="unseen" tabindex="-1">${title()}</h1>
      <${Headline} data=${data} /><${Empty} title=${t("overview.empty")}>${t("overview.empty.do")}<//>`;
  return html`
    <h1 class="unseen" tabindex="-1">${title()}</h1>
    <${Headline} data=${data} />
    <section class="vendors" aria-label=${t("overview.vendors")}>
      ${data.vendors.map((vendor) => html`<${VendorPanel} key=${vendor.vendor} vendor=${vendor} />`)}
    </section>
    <${Waiting} data=${data} />
    <section aria-label=${t("overview.idle")}>
      <div class="section-head">
        <h2>${t("overview.idle")}</h2>
        <a href=${to("cards", [], { sort: "idle" })}>${t("overview.idle.all")}</a>
      </div>
      ${
        data.idle.length
          ? html`<div class="cards">
              ${data.idle.map((card) => html`<${Card} key=${`${card.node}/${card.uuid}`} card=${card} />`)}
            </div>`
          : html`<p class="muted">${t("overview.idle.none")}</p>`
      }
    </section>
    ${state.session?.history && html`<${History} of="cluster" name="" />`}
  `;
}

function Headline({ data }) {
  const { freshness } = data;
  const figures = [
    ["nodes", data.nodes, to("nodes")],
    ["cards", data.cards, to("cards")],
    ["workloads", data.workloads, to("workloads")],
    ["waiting", data.waiting_total, to("workloads", [], { state: "waiting" })],
  ];
  return html`<section class="headline" aria-label=${t("overview.headline")}>
    ${figures.map(
      ([name, value, link]) =>
        html`<a key=${name} class="head-figure ${name === "waiting" && value ? "noted" : ""}" href=${link}>
          <${Figure} name="cluster.${name}" value=${value} />
          <span>${t(`headline.${name}`, { n: value })}</span>
        </a>`,
    )}
    <span class="head-figure" title=${t("headline.reporting.title")}>
      <span
        ><${Figure} name="cluster.reporting" value=${freshness.reporting} /><span class="muted"
          >/<${Figure} name="cluster.nodes.known" value=${freshness.nodes} /></span
      ></span>
      <span>${t("headline.reporting")}</span>
    </span>
  </section>`;
}

function VendorPanel({ vendor }) {
  const name = `vendor.${vendor.vendor}`;
  const counts = ["nodes", "cards", "slices", "idle", "unhealthy"];
  return html`<article class="panel vendor-panel" aria-label=${vendor.title || vendor.vendor}>
    <div class="panel-head">
      <h2>
        <a href=${to("cards", [], { vendor: vendor.vendor })}
          ><${Vendor} name=${vendor.vendor} title=${vendor.title}
        /></a>
      </h2>
      <p class="counts">
        ${counts.map(
          (what) =>
            html`<span key=${what} class=${what === "unhealthy" && vendor[what] ? "bad-text" : ""}
              ><${Figure}
                name="${name}.${what}"
                value=${vendor[what]}
              />${" "}${t(`vendor.${what}`, { n: vendor[what] })}</span
            >`,
        )}
      </p>
    </div>
    <${AmountRow} name="${name}.memory" amount=${vendor.memory} kind="memory" hue=${hue(vendor.vendor)} />
    <${AmountRow} name="${name}.compute" amount=${vendor.compute} kind="compute" hue=${hue(vendor.vendor)} />
  </article>`;
}

function Waiting({ data }) {
  const columns = [
    {
      key: "pod",
      label: t("column.pod"),
      cell: (pod) =>
        html`<a href=${to("workloads", [pod.namespace, pod.pod])}
          ><span class="muted">${pod.namespace}/</span>${pod.pod}</a
        >`,
    },
    {
      key: "since",
      label: t("column.waits"),
      cell: (pod) => html`<${Ago} name="waiting.${pod.namespace}/${pod.pod}.since" value=${pod.since} />`,
    },
    { key: "asks", label: t("column.asks"), cell: (pod) => html`<${Asks} asks=${pod.asks} />` },
    {
      key: "reason",
      label: t("column.reason"),
      cell: (pod) =>
        pod.fits
          ? html`<span class="badge">${t("waiting.fits")}</span>`
          : html`<span lang="en">${pod.reason || "…"}</span>`,
    },
  ];
  return html`<section class="panel" aria-label=${t("overview.waiting")}>
    <div class="panel-head">
      <h2>${t("overview.waiting")}</h2>
      ${data.waiting_total > data.waiting.length && html`<a href=${to("workloads", [], { state: "waiting" })}>${t("overview.waiting.all", { n: data.waiting_total })}</a>`}
    </div>
    ${
      data.waiting.length
        ? html`<${Table}
            label=${t("overview.waiting")}
            columns=${columns}
            rows=${data.waiting}
            id=${(pod) => `${pod.namespace}/${pod.pod}`}
          />`
        : html`<p class="muted">${t("overview.waiting.none")}</p>`
    }
  </section>`;
}
