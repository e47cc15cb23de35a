// How do a job's numbers move? Any of its metrics as lines, on a linear or a log scale, smoothed or not; they grow as they are streamed.

import { chart, joined, smoothed } from "./chart.js";
import { field, h, replace, section, select } from "./dom.js";
import { metricLines } from "./metrics.js";

const DRAW_MILLISECONDS = 150;
const FEW_POINTS = 60;
const SMOOTHING = [["0", "none"], ["0.6", "light"], ["0.9", "strong"], ["0.97", "very strong"]];

/** The curves of a job; `names` are the metrics that it is known to have. */
export function makeCurves(place, path, names, { options, setOption, signal }) {
  const lines = metricLines(path, signal);
  const chosen = new Set((options.get("metrics") ?? "train_loss,val_loss").split(",").filter(Boolean));
  const how = { log: options.get("log") === "1", smooth: Number(options.get("smooth") ?? 0) };
  const plot = h("div", {});
  const choices = h("div", { class: "scroll checks", tabindex: "0", role: "group", "aria-label": "Metrics to draw" });
  let drawn = null;
  let listed = 0;
  let isDue = false;
  for (const name of names) lines.known.add(name);

  const draw = () => {
    isDue = false;
    list();
    const shown = [...chosen].filter((name) => lines.line(name).x.length);
    if (!shown.length) {
      drawn = null;
      replace(plot, h("p", { class: "muted" }, lines.known.size ? "Choose a metric below." : "Curves begin with the first epoch."));
      return;
    }
    const few = shown.every((name) => lines.line(name).x.length < FEW_POINTS);
    const key = [shown, few].join();
    if (drawn?.key !== key) {
      drawn = { key, chart: chart({ name: shown.join(", "), log: how.log, series: shown.map((label) => ({ label, points: few })) }) };
      replace(plot, drawn.chart.element);
    }
    drawn.chart.setData(joined(shown.map(lines.line).map(({ x, y }) => ({ x, y: smoothed(y, how.smooth) }))), lines.seq());
  };
  const soon = () => {
    if (!isDue) setTimeout(draw, DRAW_MILLISECONDS);
    isDue = true;
  };
  const list = () => {
    if (listed === lines.known.size) return;
    listed = lines.known.size;
    replace(choices, [...lines.known].sort().map((name) => h("label", {}, h("input", { type: "checkbox", checked: chosen.has(name), onchange: (event) => {
      chosen[event.target.checked ? "add" : "delete"](name);
      setOption("metrics", [...chosen].join());
      draw();
      lines.load([...chosen], draw).then(draw, () => {});
    } }), ` ${name}`)));
  };
  const rebuild = (name, value) => {
    how[name] = value;
    setOption(name, value === 0 ? null : value);
    drawn = null;
    draw();
  };
  replace(place, section("Curves", h("div", { class: "bar" },
    h("label", { class: "check" }, h("input", { type: "checkbox", name: "log", checked: how.log, onchange: (event) => rebuild("log", event.target.checked) }), " Log scale"),
    field("Smoothing", select(SMOOTHING, String(how.smooth), (value) => rebuild("smooth", Number(value))))),
  plot, h("fieldset", { class: "choices" }, h("legend", {}, "Metrics"), choices)));
  draw();
  return {
    seq: lines.seq,
    load: () => lines.load([...chosen], soon),
    add(point, seq) {
      lines.add(point, seq);
      soon();
    },
  };
}
