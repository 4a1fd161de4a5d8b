// A card, drawn to scale: one bar of its memory and one of its compute, each with the slices that it is cut into.
import { html } from "../html.js";
import { bytes, percent } from "../format.js";
import { to } from "../route.js";
import { t } from "../words.js";
import { hue, Vendor, wide } from "./bars.js";
import { Bytes, Figure, Percent, share } from "./figures.js";

/** One card with its slices. */
export function Card({ card, node = true }) {
  const name = `card.${card.uuid}`;
  return html`<article
    class="card ${card.healthy ? "" : "card-bad"}"
    data-card=${card.uuid}
    aria-label="${t("card.of", { index: card.index, node: card.node })}"
  >
    <header class="card-head">
      <a href=${to("nodes", [card.node])}>${node ? card.node : t("card.index", { index: card.index })}</a>
      ${node && html`<span class="muted">#${card.index}</span>`}
      <${State} card=${card} />
    </header>
    <p class="card-model">
      <${Vendor} name=${card.vendor} /> <span class="muted">${card.model}${card.mode && ` · ${card.mode}`}</span>
    </p>
    ${!card.healthy && card.health && html`<p class="card-health" lang="en">${card.health}</p>`}
    <${CardBar} card=${card} kind="memory" name=${name} />
    <${CardBar} card=${card} kind="compute" name=${name} />
    ${Object.entries(card.others || {}).map(
      ([what, amount]) =>
        html`<p class="card-line" key=${what}>
          <span>${what}</span
          ><span
            ><${Figure} name="${name}.${what}.allocated" value=${amount.allocated} />${" / "}
            <${Figure} name="${name}.${what}.capacity" value=${amount.capacity}
          /></span>
        </p>`,
    )}
    <footer class="card-foot muted">
      <span
        >${t("card.slots")} <${Figure} name="${name}.slots_used" value=${card.slots_used} />/<${Figure}
          name="${name}.slots"
          value=${card.slots}
      /></span>
      <span
        >${known(card.temperature) && html`<${Figure} name="${name}.temperature" value=${card.temperature} show=${(value) => `${value} °C`} />`}</span
      >
      <span
        >${known(card.power) && html`<${Figure} name="${name}.power" value=${card.power} show=${(value) => `${Math.round(value)} W`} />`}</span
      >
      <code class="uuid" title=${card.uuid}>${card.uuid}</code>
    </footer>
  </article>`;
}

function known(value) {
  return value !== null && value !== undefined;
}

function State({ card }) {
  if (!card.healthy) return html`<span class="badge bad">${t("state.unhealthy")}</span>`;
  if (card.cordoned) return html`<span class="badge warn">${t("state.cordoned")}</span>`;
  if (!card.slots_used) return html`<span class="badge">${t("state.idle")}</span>`;
  return card.slots && card.slots_used >= card.slots ? html`<span class="badge warn">${t("state.full")}</span>` : null;
}

// Memory is in bytes of the card's; compute is a ratio of it. More may be promised than there is where a vendor allows
// it: then all of the bar is what is promised.
const SIDES = {
  memory: { show: bytes, of: Bytes, whole: (card) => card.memory.capacity },
  compute: { show: percent, of: Percent, whole: (card) => card.compute.capacity || 1 },
};

function CardBar({ card, kind, name }) {
  const { of, whole } = SIDES[kind];
  const amount = card[kind];
  const scale = Math.max(whole(card), amount.allocated);
  const slices = card.slices.filter((slice) => slice[kind] > 0);
  return html`<div class="card-bar">
    <p class="card-line">
      <span>${t(kind)}</span>
      <span>
        <${of} name="${name}.${kind}.allocated" value=${amount.allocated} />${" / "}
        <${of} name="${name}.${kind}.capacity" value=${amount.capacity} />
        <span class="muted">
          ${" · "}${t("amount.used.short")} <${of} name="${name}.${kind}.used" value=${amount.used}
        /></span>
      </span>
    </p>
    <div
      class="strip hue-${hue(card.vendor)}"
      role=${card.slices.length ? "list" : "img"}
      aria-label=${t("card.slices", { what: t(kind), n: slices.length })}
    >
      ${slices.map((slice, index) => html`<${Segment} key=${`${key(slice)}/${index}`} slice=${slice} kind=${kind} scale=${scale} card=${card} />`)}
      <${Reserved} card=${card} kind=${kind} scale=${scale} />
      ${kind === "compute" && card.slices.some((slice) => !slice.compute) && html`<${Unlimited} card=${card} scale=${scale} />`}
    </div>
  </div>`;
}

const key = (slice) => `${slice.namespace}/${slice.pod}/${slice.container}`;

function Segment({ slice, kind, scale, card }) {
  const { show } = SIDES[kind];
  const used = slice[`${kind}_used`];
  const marks = `${slice.running ? "" : " placed"}${slice.yielding ? " yielding" : ""}`;
  const name = `slice.${card.uuid}.${key(slice)}.${kind}`;
  const told = tip(slice, kind, show, used);
  return html`<span class="segment${marks}" role="listitem" style=${wide(slice[kind] / scale)}>
    <a
      href=${to("workloads", [slice.namespace, slice.pod])}
      tabindex="-1"
      aria-label=${told}
      data-tip=${told}
      data-of=${`${slice.namespace}/${slice.pod}`}
      data-figure=${name}
      data-value=${String(slice[kind])}
    >
      <span
        class="segment-used"
        style=${wide(share(used ?? 0, slice[kind]))}
        data-figure="${name}_used"
        data-value=${String(used ?? null)}
      ></span>
    </a>
  </span>`;
}

function tip(slice, kind, show, used) {
  const parts = [
    t("slice.tip", {
      pod: `${slice.namespace}/${slice.pod}`,
      container: slice.container,
      what: t(kind),
      promised: show(slice[kind]),
    }),
    used === null || used === undefined ? t("slice.tip.unknown") : t("slice.tip.used", { used: show(used) }),
  ];
  if (slice.priority !== null && slice.priority !== undefined)
    parts.push(t("slice.tip.priority", { priority: slice.priority }));
  if (!slice.running) parts.push(t("slice.tip.placed"));
  if (slice.yielding) parts.push(t("slice.tip.yielding"));
  return parts.join("\n");
}

// What is promised beyond all slices: containers that run before the others of their pod asked for more than those have,
// and that stays the pod's, for it may start anew.
function Reserved({ card, kind, scale }) {
  const { show } = SIDES[kind];
  const kept = card[kind].allocated - card.slices.reduce((sum, slice) => sum + slice[kind], 0);
  if (!(kept > scale * 1e-6)) return null; // nothing, or a rounded nothing; a card without memory has no scale
  const told = t("slice.reserved", { what: t(kind), kept: show(kept) });
  return html`<span
    class="segment reserved"
    role="listitem"
    style=${wide(kept / scale)}
    data-tip=${told}
    aria-label=${told}
    data-figure="card.${card.uuid}.${kind}.reserved"
    data-value=${String(kept)}
  ></span>`;
}

// Slices without a limit share what is left: drawn as one hatched part, told by name.
function Unlimited({ card, scale }) {
  const free = card.slices.filter((slice) => !slice.compute);
  const rest = Math.max(0, 1 - card.compute.allocated / scale);
  const told = [t("slice.unlimited", { n: free.length }), ...free.map((slice) => unlimited(slice))].join("\n");
  return html`<span
    class="segment unlimited"
    role="listitem"
    style=${wide(rest)}
    data-tip=${told}
    aria-label=${told}
  ></span>`;
}

function unlimited(slice) {
  const used = slice.compute_used;
  return `${slice.namespace}/${slice.pod}: ${used === null || used === undefined ? "–" : percent(used)}`;
}
