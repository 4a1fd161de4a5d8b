// What was, as lines. The library is fetched when the first chart is drawn: live pages do without it.
import { Component, html } from "../html.js";
import { ask } from "../api.js";
import { moment, percent } from "../format.js";
import { asked } from "../route.js";
import { language, t } from "../words.js";

const HEIGHT = 150;
const TURN = 60000;
let fetched = null;

function library() {
  fetched ??= new Promise((resolve, reject) => {
    const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: "vendor/uPlot.min.css" });
    const script = Object.assign(document.createElement("script"), { src: "vendor/uPlot.iife.min.js" });
    script.onload = () => resolve(globalThis.uPlot);
    script.onerror = reject;
    document.head.append(sheet, script);
  });
  return fetched;
}

const RANGES = ["1h", "6h", "1d", "7d"];

/** The history of a cluster, node, card or workload. */
export class History extends Component {
  constructor(properties) {
    super(properties);
    this.state = { range: "6h", answer: null, problem: "" };
    this.frame = null;
  }

  componentDidMount() {
    this.fetch();
    this.timer = setInterval(() => document.hidden || this.fetch(), TURN);
    this.observer = new ResizeObserver(() => this.plot?.setSize({ width: this.frame.clientWidth, height: HEIGHT }));
  }

  componentWillUnmount() {
    clearInterval(this.timer);
    this.observer.disconnect();
    this.plot?.destroy();
    this.gone = true;
  }

  componentDidUpdate(before, earlier) {
    if (before.name !== this.props.name || earlier.range !== this.state.range) this.fetch();
  }

  async fetch() {
    const { of, name } = this.props;
    const what = asked({ of, name, range: this.state.range });
    this.wanted = what; // an answer that is late is one to a question of before
    try {
      const answer = await ask(`history${what}`);
      if (this.gone || this.wanted !== what) return;
      this.setState({ answer, problem: answer.problem });
      if (answer.times.length) this.draw(await library(), answer);
    } catch (refused) {
      if (this.wanted === what) this.setState({ problem: refused.message || t("problem.unreached") });
    }
  }

  draw(uPlot, answer) {
    this.plot?.destroy();
    if (this.gone || !this.frame) return;
    this.plot = new uPlot(
      options(this.frame.clientWidth, answer),
      [answer.times, ...answer.series.map((one) => one.values)],
      this.frame,
    );
    this.observer.observe(this.frame);
  }

  render(_, { range, answer, problem }) {
    if (answer && !answer.available) return null;
    return html`<section class="panel history" aria-label=${t("history")}>
      <div class="panel-head">
        <h2>${t("history")}</h2>
        <div class="ranges" role="group" aria-label=${t("history.range")}>
          ${RANGES.map(
            (one) =>
              html`<button
                key=${one}
                type="button"
                aria-pressed=${one === range}
                onClick=${() => this.setState({ range: one })}
              >
                ${t(`history.${one}`)}
              </button>`,
          )}
        </div>
      </div>
      ${problem && html`<p class="muted" lang="en">${problem}</p>`}
      <div class="plot" ref=${(element) => (this.frame = element)}></div>
    </section>`;
  }
}

function options(width, answer) {
  const styles = getComputedStyle(document.documentElement);
  const colour = (name) => styles.getPropertyValue(name).trim();
  const line = { stroke: colour("--line"), width: 1 };
  const axis = { stroke: colour("--ink-soft"), grid: line, ticks: line };
  return {
    width,
    height: HEIGHT,
    scales: { y: { range: (_, low, high) => [0, Math.max(1, high)] } },
    axes: [
      { ...axis, values: (_, stamps) => stamps.map((stamp) => tick(stamp, answer)) },
      { ...axis, values: (_, values) => values.map(percent) },
    ],
    series: [
      { label: t("history.time"), value: (_, stamp) => (stamp ? moment(stamp) : "–") },
      ...answer.series.map((one) => series(one.name, colour)),
    ],
  };
}

// What is promised and what is used of the same thing have one colour, and different strokes.
function series(name, colour) {
  const [what, part] = name.split(".");
  return {
    label: part ? `${t(what)} · ${t(`amount.${part}`)}` : name,
    stroke: colour(what === "memory" ? "--hue-0" : "--hue-1"),
    dash: part === "allocated" ? [5, 4] : undefined,
    width: 1.5,
    value: (_, value) => (value === null || value === undefined ? "–" : percent(value)),
  };
}

function tick(stamp, answer) {
  const long = answer.times.at(-1) - answer.times[0] > 100000;
  const parts = long ? { month: "numeric", day: "numeric" } : { hour: "2-digit", minute: "2-digit" };
  return new Date(stamp * 1000).toLocaleString(language(), parts);
}
