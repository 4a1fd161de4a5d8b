// Why nodes do not serve a pod: each sentence with the nodes that it holds for. The words are the scheduler's.
import { html } from "../html.js";
import { to } from "../route.js";
import { t } from "../words.js";
import { Figure } from "./figures.js";

/** The reasons, the most nodes first. */
export function Reasons({ reasons, name }) {
  if (!reasons.length) return null;
  return html`<ul class="reasons">
    ${reasons.map(
      (one, index) =>
        html`<li key=${one.message}>
          <span class="reason-count"><${Figure} name="${name}.reason.${index}" value=${one.count} /></span>
          <span class="reason-text">
            <span lang="en">${one.message}</span>
            <span class="reason-nodes">
              ${one.nodes.map((node) => html`<a key=${node} href=${to("nodes", [node])}>${node}</a> `)}
              ${one.count > one.nodes.length && html`<span class="muted">${t("reasons.more", { n: one.count - one.nodes.length })}</span>`}
            </span>
          </span>
        </li>`,
    )}
  </ul>`;
}

/** What a container asks, in the words of its manifest. */
export function Asks({ asks }) {
  return html`<span class="asks">
    ${Object.entries(asks).map(([what, amount]) => html`<span key=${what} class="ask"><code>${what}</code> <b>${amount}</b></span>`)}
  </span>`;
}
