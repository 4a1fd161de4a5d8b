// What stands around each page: where one can go, how fresh the figures are, and how they are shown.
import { html } from "../html.js";
import { ask } from "../api.js";
import { clock } from "../format.js";
import { to } from "../route.js";
import { change, remember, state } from "../state.js";
import { language, LANGUAGES, speak, t } from "../words.js";

const PLACES = ["overview", "nodes", "cards", "workloads", "quotas", "plan"];
const THEMES = ["system", "light", "dark"];

/** The frame around a page. */
export function Shell({ children }) {
  return html`
    <a class="skip" href="#main" onClick=${skip}>${t("skip")}</a>
    <header class="top">
      <div class="top-row">
        <a class="brand" href="#/"><img src="favicon.svg" alt="" width="20" height="20" /> hetero</a>
        <${Places} />
        <${Fresh} />
      </div>
    </header>
    <main id="main" tabindex="-1">${children}</main>
    <footer class="bottom">
      <${Languages} />
      <${Themes} />
      <${User} />
      <span class="keys muted">${t("keys.hint")}</span>
      <span class="muted">hetero ${state.session?.version}</span>
    </footer>
  `;
}

function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

function Places() {
  return html`<nav class="places" aria-label=${t("places")}>
    ${PLACES.map(
      (place) =>
        html`<a key=${place} href=${to(place)} aria-current=${state.route.page === place ? "page" : undefined}
          >${t(`page.${place}`)}</a
        >`,
    )}
  </nav>`;
}

// Live, behind, or lost; with the time that the figures are of. Nothing on a page that has none.
function Fresh() {
  if (state.link === "none") return null;
  const fresh = state.data?.freshness;
  const status = state.link === "open" ? (fresh && !fresh.in_step ? "behind" : "live") : state.link;
  const title =
    fresh &&
    t("fresh.title", {
      reporting: fresh.reporting,
      nodes: fresh.nodes,
      age: fresh.oldest ? Math.round(fresh.oldest) : 0,
    });
  return html`<p class="fresh fresh-${status}" title=${title}>
    <span class="dot" aria-hidden="true"></span>
    <span>${t(`fresh.${status}`)}</span>
    <span class="muted as-of"
      >${state.received ? t("fresh.as-of", { time: clock(state.received / 1000 + state.offset) }) : ""}</span
    >
  </p>`;
}

function Languages() {
  return html`<label class="choice">
    <span>${t("language")}</span>
    <select onChange=${(event) => speak(event.target.value)}>
      ${Object.entries(LANGUAGES).map(([tag, name]) => html`<option key=${tag} value=${tag} lang=${tag} selected=${tag === language()}>${name}</option>`)}
    </select>
  </label>`;
}

function Themes() {
  return html`<label class="choice">
    <span>${t("theme")}</span>
    <select onChange=${(event) => paint(event.target.value)}>
      ${THEMES.map((theme) => html`<option key=${theme} value=${theme} selected=${theme === state.theme}>${t(`theme.${theme}`)}</option>`)}
    </select>
  </label>`;
}

/** Show the page in these colours from now on. */
export function paint(theme) {
  remember("theme", theme);
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  change({ theme });
}

function User() {
  const { session } = state;
  if (!session?.user || session.mode === "none") return null;
  const leave = async () => {
    await ask("session", "DELETE").catch(() => {});
    location.reload(); // nothing of what was seen stays in memory
  };
  return html`<span class="user">
    ${session.user} ${session.mode === "token" && html`<button type="button" onClick=${leave}>${t("logout")}</button>`}
  </span>`;
}
