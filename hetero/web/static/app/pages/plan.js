// What if: a manifest, and where its pods would go and why. Nothing is promised by it.
import { html } from "../html.js";
import { ask } from "../api.js";
import { to } from "../route.js";
import { keep, kept } from "../state.js";
import { t } from "../words.js";
import { Vendor } from "../parts/bars.js";
import { Bytes, Figure, Percent } from "../parts/figures.js";
import { Reasons } from "../parts/reasons.js";

export const source = () => "overview"; // for its examples: what each vendor's cards are asked with
export const title = () => t("page.plan");

const LARGEST = 256 * 1024;

export function View({ data }) {
  const text = kept("manifest", "");
  return html`
    <h1 tabindex="-1">${title()}</h1>
    <p class="muted">${t("plan.intro")}</p>
    <form class="panel plan" onSubmit=${(event) => (event.preventDefault(), plan(text))}>
      <label for="manifest">${t("plan.manifest")}</label>
      <textarea
        id="manifest"
        rows="14"
        spellcheck=${false}
        value=${text}
        onInput=${(event) => keep("manifest", event.target.value)}
        onKeyDown=${(event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && plan(text)}
        placeholder=${t("plan.placeholder")}
      ></textarea>
      <div class="plan-tools">
        <button type="submit" class="primary" disabled=${!text.trim() || kept("planning", false)}>
          ${t("plan.ask")}
        </button>
        <${Examples} vendors=${data.vendors} />
      </div>
    </form>
    <div aria-live="polite"><${Answer} /></div>
  `;
}

function Examples({ vendors }) {
  const some = vendors.filter((vendor) => Object.keys(vendor.example || {}).length);
  if (!some.length) return null;
  return html`<span class="examples">
    <span class="muted">${t("plan.examples")}</span>
    ${some.map((vendor) => html`<button key=${vendor.vendor} type="button" onClick=${() => keep("manifest", pod(vendor))}>${t("plan.example.one", { vendor: vendor.title || vendor.vendor })}</button>`)}
    <button type="button" onClick=${() => keep("manifest", deployment(some[0]))}>${t("plan.example.many")}</button>
  </span>`;
}

const limits = (vendor, indent) =>
  Object.entries(vendor.example).map(([name, amount]) => `${" ".repeat(indent)}${name}: "${amount}"`);

function pod(vendor) {
  return [
    "apiVersion: v1",
    "kind: Pod",
    "metadata:",
    "  name: what-if",
    "spec:",
    "  containers:",
    "    - name: main",
    "      image: example",
    "      resources:",
    "        limits:",
    ...limits(vendor, 10),
    "",
  ].join("\n");
}

function deployment(vendor) {
  return [
    "apiVersion: apps/v1",
    "kind: Deployment",
    "metadata:",
    "  name: what-if",
    "spec:",
    "  replicas: 4",
    "  selector: {matchLabels: {app: what-if}}",
    "  template:",
    "    metadata: {labels: {app: what-if}}",
    "    spec:",
    "      containers:",
    "        - name: main",
    "          image: example",
    "          resources:",
    "            limits:",
    ...limits(vendor, 14),
    "",
  ].join("\n");
}

async function plan(manifest) {
  if (new Blob([manifest]).size > LARGEST) return keep("plan", { problem: t("plan.large") });
  keep("planning", true);
  try {
    keep("plan", await ask("plan", "POST", { manifest }));
  } catch (refused) {
    keep("plan", { problem: refused.message || t("problem.unreached") });
  } finally {
    keep("planning", false);
  }
}

function Answer() {
  const answer = kept("plan", null);
  if (!answer) return null;
  if (answer.problem) return html`<div class="empty failed" role="alert"><p lang="en">${answer.problem}</p></div>`;
  const placed = answer.pods.filter((one) => one.node).length;
  return html`<section class="planned" aria-label=${t("plan.answer")}>
    <h2>
      <${Figure} name="plan.placed" value=${placed} />${" / "}<${Figure} name="plan.pods" value=${answer.pods.length} />
      ${" "}${t("plan.placed", { n: answer.pods.length })}
    </h2>
    ${answer.doubts.map((doubt) => html`<p key=${doubt} class="remark" lang="en">${doubt}</p>`)}
    ${answer.pods.map((one, index) => html`<${Planned} key=${index} one=${one} index=${index} />`)}
  </section>`;
}

function Planned({ one, index }) {
  return html`<article class="panel" aria-label=${one.pod}>
    <div class="panel-head">
      <h3><span class="muted">${one.namespace}/</span>${one.pod}</h3>
      ${
        one.node
          ? html`<span
              >→ <a href=${to("nodes", [one.node])}>${one.node}</a>${" "}
              <span class="muted">${t("plan.of", { n: one.fitting })}</span></span
            >`
          : html`<span class="badge warn">${t("plan.nowhere")}</span>`
      }
    </div>
    ${one.held.map(
      (held, at) =>
        html`<p key=${at} class="counts">
          <${Vendor} name=${held.vendor} /> <span class="muted">${held.model} #${held.index}</span>
          <span>${held.container}: <${Bytes} name="plan.${index}.held.${at}.memory" value=${held.memory} /></span>
          <span
            >${held.compute ? html`<${Percent} name="plan.${index}.held.${at}.compute" value=${held.compute} />` : t("unlimited")}</span
          >
        </p>`,
    )}
    ${
      one.node
        ? one.reasons.length > 0 &&
          html`<details>
            <summary>${t("plan.others")}</summary>
            <${Reasons} reasons=${one.reasons} name="plan.${index}" />
          </details>`
        : html`<${Reasons} reasons=${one.reasons} name="plan.${index}" />`
    }
  </article>`;
}
