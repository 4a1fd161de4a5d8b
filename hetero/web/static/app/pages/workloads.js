// All pods that hold devices or wait for them, a page at a time.
import { html } from "../html.js";
import { asked, to } from "../route.js";
import { state } from "../state.js";
import { t } from "../words.js";
import { hue, Vendor, AmountBar } from "../parts/bars.js";
import { Ago, Bytes, Cards, Figure } from "../parts/figures.js";
import { Empty } from "../parts/states.js";
import { Table } from "../parts/table.js";
import { Choice, Pager, Tools } from "../parts/tools.js";

const LIMIT = 50;
const STATES = ["running", "placed", "waiting"];

export const source = ({ query: { search, namespace, vendor, state: is, sort, order, offset } }) =>
  `workloads${asked({ search, namespace, vendor, state: is, sort, order, offset, limit: LIMIT })}`;
export const title = () => t("page.workloads");

export function View({ data }) {
  return html`
    <h1 tabindex="-1">${title()}</h1>
    <${Tools} label=${t("search.workloads")} total=${data.total}>
      <${Choice}
        label=${t("column.state")}
        name="state"
        options=${[["", t("choice.any")], ...STATES.map((one) => [one, t(`pod.${one}`)])]}
      />
      ${state.route.query.namespace && html`<a class="button" href="#/workloads">${state.route.query.namespace} ×</a>`}
    <//>
    ${
      data.items.length
        ? html`<${Table}
            label=${title()}
            columns=${columns()}
            rows=${data.items}
            id=${(one) => `${one.namespace}/${one.pod}`}
          />`
        : html`<${Empty} title=${t("workloads.empty")}
            >${Object.keys(state.route.query).length ? t("search.none") : t("workloads.empty.do")}<//
          >`
    }
    <${Pager} total=${data.total} shown=${data.items.length} limit=${LIMIT} />
  `;
}

function columns() {
  const name = (one) => `workload.${one.namespace}/${one.pod}`;
  return [
    {
      key: "pod",
      label: t("column.pod"),
      sort: "name",
      cell: (one) =>
        html`<a href=${to("workloads", [one.namespace, one.pod])}
          ><span class="muted">${one.namespace}/</span>${one.pod}</a
        >`,
    },
    { key: "state", label: t("column.state"), cell: (one) => html`<${PodState} state=${one.state} />` },
    {
      key: "where",
      label: t("column.node"),
      about: (one) => (one.node ? null : t("column.reason")), // a pod without a node shows why
      cell: (one) => html`<${Where} one=${one} />`,
    },
    {
      key: "held",
      label: t("column.cards"),
      number: true,
      cell: (one) => html`<${Figure} name="${name(one)}.cards" value=${one.cards} />`,
    },
    {
      key: "memory",
      label: t("memory"),
      sort: "memory",
      cell: (one) =>
        html`<${Promised} name="${name(one)}.memory" amount=${one.memory} of=${Bytes} kind="memory" one=${one} />`,
    },
    {
      key: "compute",
      label: t("compute"),
      sort: "compute",
      cell: (one) =>
        html`<${Promised} name="${name(one)}.compute" amount=${one.compute} of=${Cards} kind="compute" one=${one} />`,
    },
    {
      key: "since",
      label: t("column.since"),
      sort: "since",
      cell: (one) => html`<${Ago} name="${name(one)}.since" value=${one.since} />`,
    },
  ];
}

/** What has become of a pod. */
export function PodState({ state: is }) {
  const kind = { running: "good", waiting: "warn" }[is] || "";
  return html`<span class="badge ${kind}">${t(`pod.${is}`)}</span>`;
}

function Where({ one }) {
  if (!one.node) return html`<span class="reason-short" lang="en" title=${one.reason}>${one.reason}</span>`;
  return html`<span class="models"
    ><a href=${to("nodes", [one.node])}>${one.node}</a
    >${one.vendors.map((vendor) => html`<${Vendor} key=${vendor} name=${vendor} />`)}</span
  >`;
}

// Of what was promised, so the bar is full and shows what of it is used; no promise of compute is no limit.
function Promised({ name, amount, of, kind, one }) {
  if (one.state === "waiting") return html`<span class="muted">–</span>`;
  const free = kind === "compute" && !amount.allocated;
  return html`<span class="amount-cell">
    <span class="amount-line">
      <span
        ><${of}
          name="${name}.used"
          value=${amount.used}
        />${" / "}${free ? html`<span class="muted">${t("unlimited")}</span>` : html`<${of} name="${name}.allocated" value=${amount.allocated} />`}</span
      >
    </span>
    ${!free && html`<${AmountBar} amount=${{ ...amount, capacity: amount.allocated }} kind=${kind} hue=${hue(one.vendors[0] || "")} />`}
  </span>`;
}
