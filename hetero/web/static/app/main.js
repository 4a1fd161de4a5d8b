// The page: follows what its route asks for, and draws what is known.
import { html, render } from "./html.js";
import { ask } from "./api.js";
import { listenForKeys } from "./keys.js";
import { follow } from "./live.js";
import { Login } from "./pages/login.js";
import { page } from "./pages/all.js";
import { Shell } from "./parts/shell.js";
import { Failed, Loading, Stale } from "./parts/states.js";
import { parse } from "./route.js";
import { change, drawnBy, remembered, state } from "./state.js";
import { tellTips } from "./tips.js";
import { language, t } from "./words.js";

const AGES = 5000; // how often what is told as an age is drawn again
let stop = () => {};

function draw() {
  const shown = page(state.route);
  const title = state.session && !entered() ? t("login.title") : (shown?.title(state.route) ?? t("problem.missing"));
  document.title = `${title} · hetero`;
  render(html`<${Shell}><${Content} shown=${shown} /><//>`, document.getElementById("app"));
}

function entered() {
  return state.session?.mode !== "token" || state.session.user;
}

function Content({ shown }) {
  if (state.session && !entered()) return html`<${Login} entered=${enter} />`;
  if (!shown) return html`<${Failed} problem=${{ status: 404, message: "" }} />`;
  if (state.problem && !state.data) return html`<${Failed} problem=${state.problem} />`;
  if (!state.data) return html`<${Loading} />`;
  return html`<${Stale} />
    <div class=${state.source === source() ? "page" : "page old"}>
      <${shown.View} data=${state.data} key=${place(state.route)} />
    </div>`;
}

const place = (route) => [route.page, ...route.rest].join("/");

function source() {
  return page(state.route)?.source(state.route) ?? "";
}

// Another page begins empty; the same page with another query keeps its rows until the new ones are there.
function moved() {
  const before = state.route;
  const route = parse(location.hash);
  const same = before && place(before) === place(route);
  const wasAsked = before && page(before)?.source(before);
  change({ route, ...(same ? {} : { data: null, problem: null, kept: {} }) });
  if (!same || wasAsked !== source()) listen();
  if (before && !same) settle();
  if (!same) queueMicrotask(showPlace);
}

// The heading of a new page is where reading goes on, and its top is what is seen.
function settle() {
  scrollTo(0, 0);
  queueMicrotask(() => document.querySelector("main h1, main")?.focus({ preventScroll: true }));
}

// On a phone not all places fit beside each other.
function showPlace() {
  document.querySelector(".places [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
}

function listen() {
  stop();
  const asked = source();
  if (!asked || (state.session && !entered())) return change({ link: "none" });
  if (!state.data) change({ link: "opening" });
  stop = follow(asked, {
    open: () => change({ link: "open" }),
    data: (data) => arrived(asked, data),
    fresh: (freshness) => state.data && arrived(asked, { ...state.data, freshness }),
    lost: (retry, problem) => lost(retry, problem),
    refused: (problem) => refused(problem),
  });
}

function arrived(asked, data) {
  const time = data.freshness?.time;
  const first = state.source !== asked || !state.data;
  const offset = time && Math.abs(time - Date.now() / 1000) > 2 ? time - Date.now() / 1000 : time ? 0 : state.offset;
  change({ data, source: asked, problem: null, link: "open", received: Date.now(), offset });
  if (first && data.total !== undefined) say(t("count", { n: data.total }));
}

function lost(retry, problem) {
  if (state.link !== "lost") say(t("fresh.lost"));
  change({ link: "lost", retry, problem: state.data ? null : (problem ?? state.problem) });
}

function refused(problem) {
  change({ problem, data: null, link: "open" });
  if (problem.status === 401) identify(); // the log-in takes the place of the sentence, where one logs in here
}

function say(text) {
  document.getElementById("said").textContent = text;
}

async function identify() {
  try {
    change({ session: await ask("session") });
  } catch (problem) {
    if (problem.status === 401) change({ session: { mode: "token", user: "", history: false, version: "" } });
  }
  if (state.session && !entered()) stop();
}

function enter(session) {
  change({ session, problem: null });
  listen();
}

document.documentElement.lang = language();
drawnBy(draw);
change({ route: null, theme: remembered("theme") ?? "system" });
moved();
identify();
tellTips();
listenForKeys();
addEventListener("hashchange", moved);
setInterval(() => document.hidden || change({}), AGES);
