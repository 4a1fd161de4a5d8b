// What stands where there is nothing to show yet, nothing at all, or nothing to be had: each says what to do.
import { html } from "../html.js";
import { clock } from "../format.js";
import { state } from "../state.js";
import { t } from "../words.js";

/** The room that a page will take, so that nothing jumps when it comes. */
export function Loading() {
  return html`<div class="loading" aria-busy="true">
    <p class="unseen">${t("loading")}</p>
    ${[0, 1, 2, 3].map((row) => html`<div key=${row} class="ghost" aria-hidden="true"></div>`)}
  </div>`;
}

/** Nothing to show, and why. */
export function Empty({ title, children }) {
  return html`<div class="empty">
    <p class="empty-title">${title}</p>
    <p>${children}</p>
  </div>`;
}

/** No answer, and why not: the server's own sentence where there is one. */
export function Failed({ problem }) {
  const known = { 0: "problem.unreached", 403: "problem.forbidden", 404: "problem.missing", 429: "problem.busy" };
  return html`<div class="empty failed" role="alert">
    <p class="empty-title">${t(known[problem.status] || "problem.other")}</p>
    ${problem.message && html`<p lang="en">${problem.message}</p>`}
    ${problem.status === 404 && html`<p><a href="#/">${t("problem.home")}</a></p>`}
  </div>`;
}

/** Told above a page whose figures may be old, in one sentence each. */
export function Stale() {
  const fresh = state.data?.freshness;
  const lost = state.link === "lost";
  const behind = fresh && !fresh.in_step;
  if (!state.data || !(lost || behind)) return null;
  const said = lost
    ? t("stale.lost", { time: clock(state.received / 1000 + state.offset) })
    : t("stale.behind", { time: clock(fresh.heard) });
  return html`<div class="banner" role="status">${said}</div>`;
}
