// One workload: what it asks, holds and uses, or why it waits.
import { html } from "../html.js";
import { duration } from "../format.js";
import { to } from "../route.js";
import { state } from "../state.js";
import { t } from "../words.js";
import { AmountBar, hue, Vendor } from "../parts/bars.js";
import { History } from "../parts/chart.js";
import { Ago, Bytes, Figure, Percent } from "../parts/figures.js";
import { Asks, Reasons } from "../parts/reasons.js";
import { PodState } from "./workloads.js";

export const source = ({ rest }) => `workloads/${rest.map(encodeURIComponent).join("/")}`;
export const title = ({ rest }) => rest.join("/");

export function View({ data }) {
  const { workload } = data;
  const name = `workload.${workload.namespace}/${workload.pod}`;
  return html`
    <p class="trail">
      <a href=${to("workloads")}>${t("page.workloads")}</a>${" / "}<a
        href=${to("workloads", [], { namespace: workload.namespace })}
        >${workload.namespace}</a
      >${" /"}
    </p>
    <h1 tabindex="-1">${workload.pod}</h1>
    <section class="panel" aria-label=${t("workload.summary")}>
      <p class="counts">
        <${PodState} state=${workload.state} />
        ${workload.node && html`<a href=${to("nodes", [workload.node])}>${workload.node}</a>`}
        <span>${t("column.since")} <${Ago} name="${name}.since" value=${workload.since} /></span>
        <span>${t("column.priority")} <${Figure} name="${name}.priority" value=${workload.priority} /></span>
      </p>
      ${data.sentence && html`<p class="sentence" lang="en">${data.sentence}</p>`}
      ${data.remarks.map((remark) => html`<p key=${remark} class="remark" lang="en">${remark}</p>`)}
      <dl class="asked">
        ${Object.entries(data.asks).map(
          ([container, asks]) =>
            html`<div key=${container}>
              <dt>${container} ${t("workload.asks")}</dt>
              <dd><${Asks} asks=${asks} /></dd>
            </div>`,
        )}
      </dl>
    </section>
    ${data.fitting !== null && data.fitting !== undefined && html`<${Why} data=${data} name=${name} />`}
    ${
      data.held.length > 0 &&
      html`<section aria-label=${t("workload.held")}>
        <h2>${t("workload.held")}</h2>
        <div class="cards wide">
          ${data.held.map((held, index) => html`<${Holding} key=${index} held=${held} name="${name}.held.${index}" />`)}
        </div>
      </section>`
    }
    ${state.session?.history && html`<${History} of="workload" name="${workload.namespace}/${workload.pod}" />`}
  `;
}

function Why({ data, name }) {
  return html`<section class="panel" aria-label=${t("workload.why")}>
    <h2>${t("workload.why")}</h2>
    <p>
      <${Figure} name="${name}.fitting" value=${data.fitting} />${" "}${t("workload.fitting", { n: data.fitting })}
      ${data.best && html`${" "}${t("workload.best")} <a href=${to("nodes", [data.best])}>${data.best}</a>`}
    </p>
    <${Reasons} reasons=${data.reasons} name=${name} />
  </section>`;
}

function Holding({ held, name }) {
  const colour = hue(held.vendor);
  const memory = { capacity: held.memory, allocated: held.memory, used: held.memory_used };
  const compute = { capacity: held.compute, allocated: held.compute, used: held.compute_used };
  return html`<article class="card" data-card=${held.card}>
    <header class="card-head">
      <a href=${to("nodes", [held.node])}>${held.node}</a> <span class="muted">#${held.index}</span>
      ${held.yielding && html`<span class="badge warn">${t("held.yielding")}</span>`}
      ${!held.running && html`<span class="badge">${t("pod.placed")}</span>`}
    </header>
    <p class="card-model"><${Vendor} name=${held.vendor} /> <span class="muted">${held.model}</span></p>
    <p class="card-line">
      <span>${t("memory")}</span
      ><span
        ><${Bytes} name="${name}.memory_used" value=${held.memory_used} />${" / "}
        <${Bytes} name="${name}.memory" value=${held.memory}
      /></span>
    </p>
    <${AmountBar} amount=${memory} kind="memory" hue=${colour} />
    <p class="card-line">
      <span>${t("compute")}</span
      ><span
        ><${Percent} name="${name}.compute_used" value=${held.compute_used} />${" / "}
        ${held.compute ? html`<${Percent} name="${name}.compute" value=${held.compute} />` : t("unlimited")}</span
      >
    </p>
    ${held.compute > 0 && html`<${AmountBar} amount=${compute} kind="compute" hue=${colour} />`}
    <${Details} held=${held} name=${name} />
  </article>`;
}

const FIGURES = [
  ["memory_context", Bytes],
  ["memory_module", Bytes],
  ["compute_lent", Percent],
  ["throttled_seconds", Figure, duration],
  ["launches", Figure],
  ["refused", Figure],
  ["exhausted", Figure],
  ["processes", Figure],
  ["priority", Figure],
];

function Details({ held, name }) {
  return html`<dl class="details">
    <div>
      <dt>${t("column.container")}</dt>
      <dd>${held.container}</dd>
    </div>
    ${FIGURES.map(
      ([key, Kind, show]) =>
        html`<div key=${key}>
          <dt>${t(`held.${key}`)}</dt>
          <dd><${Kind} name="${name}.${key}" value=${held[key]} show=${show ?? undefined} /></dd>
        </div>`,
    )}
    ${
      held.policy &&
      html`<div>
        <dt>${t("held.policy")}</dt>
        <dd>${held.policy}</dd>
      </div>`
    }
    <div>
      <dt>${t("column.card")}</dt>
      <dd><code class="uuid" title=${held.card}>${held.card}</code></dd>
    </div>
  </dl>`;
}
