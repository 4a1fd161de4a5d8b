// What stands above and below a list: the search, the choices, and the way through its pages.
import { Component, html } from "../html.js";
import { number } from "../format.js";
import { again, replace } from "../route.js";
import { state } from "../state.js";
import { t } from "../words.js";

const PAUSE = 250;

/** A search box that asks when typing has paused; what is typed is never overwritten by an answer. */
export class Search extends Component {
  constructor(properties) {
    super(properties);
    this.state = { text: this.asked() };
    this.sent = this.state.text;
    this.typed = (event) => {
      const text = event.target.value;
      this.setState({ text });
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.send(text), PAUSE);
    };
  }

  asked() {
    return state.route.query.search || "";
  }

  send(text) {
    this.sent = text.trim();
    replace(again(state.route, { search: this.sent }));
  }

  // The back button changes what is asked without typing.
  componentDidUpdate() {
    const asked = this.asked();
    if (asked === this.sent) return;
    this.sent = asked;
    this.setState({ text: asked });
  }

  componentWillUnmount() {
    clearTimeout(this.timer);
  }

  render({ label }, { text }) {
    return html`<label class="search">
      <span class="unseen">${label}</span>
      <input
        id="search"
        type="search"
        value=${text}
        onInput=${this.typed}
        placeholder=${label}
        autocomplete="off"
        spellcheck=${false}
        maxlength="200"
      />
      <kbd aria-hidden="true">/</kbd>
    </label>`;
  }
}

/** A choice of one value for a key of the query; options are [value, text]. */
export function Choice({ label, name, options }) {
  const value = state.route.query[name] || "";
  const known = options.some(([one]) => one === value) ? options : [...options, [value, value]];
  return html`<label class="choice">
    <span>${label}</span>
    <select value=${value} onChange=${(event) => (location.hash = again(state.route, { [name]: event.target.value }))}>
      ${known.map(([one, text]) => html`<option key=${one} value=${one} selected=${one === value}>${text}</option>`)}
    </select>
  </label>`;
}

/** Which rows these are of how many, and the links to the others. */
export function Pager({ total, shown, limit }) {
  const offset = Number(state.route.query.offset || 0);
  const link = (at, text, possible) =>
    possible
      ? html`<a class="button" href=${again(state.route, { offset: at || "" })}>${text}</a>`
      : html`<span class="button off" aria-disabled="true">${text}</span>`;
  return html`<nav class="pager" aria-label=${t("pager.label")}>
    ${link(Math.max(0, offset - limit), t("pager.before"), offset > 0)}
    <span class="pager-said"
      >${shown ? t("pager.shown", { from: number(offset + 1), to: number(offset + shown), total: number(total) }) : t("pager.none", { total: number(total) })}</span
    >
    ${link(offset + limit, t("pager.after"), offset + shown < total && shown > 0)}
  </nav>`;
}

/** The tools of a list in their row; how many it has is told to everybody. */
export function Tools({ label, total, children }) {
  return html`<div class="tools" role="search">
    <${Search} label=${label} />
    ${children}
    <span class="count"
      ><data data-figure="total" data-value=${String(total ?? null)}
        >${total === undefined ? "" : t("count", { n: total })}</data
      ></span
    >
  </div>`;
}
