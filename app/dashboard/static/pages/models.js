// Which models are there, how good are they, what do they forecast, and where do they come from?

import { ENDED } from "../actions.js";
import { all, ask } from "../api.js";
import { bytes, empty, facts, h, number, replace, section, table, time } from "../dom.js";
import { showForecast } from "../forecast.js";
import { coverageTable, scoreTable } from "../report.js";
import { showSessions } from "../sessions.js";

const REREAD_MILLISECONDS = 2000;

export async function showModels(content, { signal }) {
  const models = await all("/v1/models", 200, signal);
  content.append(h("h1", {}, "Models"), models.length
    ? h("section", {}, table("Models, newest first", ["Name", "MASE", "Seasonal naive", "Context", "Horizon", "Parameters", "Size", "Made"], models.map((one) => [
      h("a", { href: `#/models/${one.id}` }, one.name), number(one.scores.model?.mase), number(one.scores.seasonal_naive?.mase), one.context, one.horizon,
      number(one.parameters), bytes(one.size_bytes), time(one.created_at)])))
    : empty("No models yet", "A training makes one: begin under ", h("a", { href: "#/design" }, "Design"), "."));
}

export async function showModel(content, id, page) {
  const { signal } = page;
  const model = await ask(`/v1/models/${encodeURIComponent(id)}`, { signal });
  document.title = `${model.name} · Braidcast`;
  const [plot, coverage, sessions] = [h("div", {}), h("div", {}), h("div", {})];
  content.append(
    h("p", { class: "crumbs" }, h("a", { href: "#/models" }, "Models")),
    h("div", { class: "title" }, h("h1", {}, model.name), h("span", { class: "buttons" },
      h("a", { class: "button", href: `/v1/models/${model.id}/weights`, download: "" }, "Download weights"), h("a", { class: "button", href: `#/jobs/${model.job}` }, "Its job"))),
    facts([["Horizon", model.horizon], ["Context", model.context], ["Step", model.freq], ["Parameters", number(model.parameters)],
      ["Size", bytes(model.size_bytes)], ["Data set", h("a", { href: `#/datasets/${model.dataset}` }, "show")], ["Made", time(model.created_at)]]),
    section("Forecast", plot),
    section("Scores on steps that training never saw", Object.keys(model.scores).length ? scoreTable(model.scores) : h("p", { class: "muted" }, "It has none.")),
    section("Coverage of its intervals", coverage),
    section("Sessions", sessions),
    section("Lineage", facts(Object.entries(model.lineage).filter(([name]) => name !== "phases").map(([name, value]) =>
      [name.replaceAll("_", " "), typeof value === "object" ? JSON.stringify(value) : String(value)]))),
    section("Document", h("pre", { tabindex: "0" }, JSON.stringify(model.architecture, null, 2))));
  await Promise.all([
    showForecast(plot, model, page).catch(gone(plot, signal)),
    showCoverage(coverage, model, signal),
    showSessions(sessions, model, page).catch(gone(sessions, signal)),
  ]);
}

const gone = (place, signal) => (error) => {
  if (!signal.aborted) replace(place, h("p", { class: "muted" }, error.status === 404 ? `Its data set is not here any more: ${error.message}` : error.message));
};

/** What the newest backtest of the model says of its intervals, or a button that asks for one. */
async function showCoverage(place, model, signal) {
  let due = null;
  signal.addEventListener("abort", () => clearTimeout(due));
  const load = async () => {
    const backtests = (await all("/v1/jobs?kind=backtest", 100, signal)).filter((job) => job.init_from === model.id);
    const done = backtests.find((job) => job.status === "succeeded");
    const running = backtests.find((job) => !ENDED.includes(job.status));
    const report = done && (await ask(`/v1/jobs/${done.id}/report`, { signal })).backtest;
    if (running) due = setTimeout(() => load().catch(() => {}), REREAD_MILLISECONDS);
    replace(place, report ? [coverageTable(report.intervals), h("p", { class: "muted" }, "Over ", h("a", { href: `#/jobs/${done.id}` }, `${report.windows.length} windows of a backtest`), ".")] : null,
      running ? h("p", { role: "status" }, "A backtest is at work: ", h("a", { href: `#/jobs/${running.id}` }, running.name), ".")
        : report ? null : invitation());
  };
  const said = h("p", { class: "error", role: "alert" });
  const invitation = () => [h("p", {}, "A backtest counts how often what came lies in the intervals that were forecast at earlier cutoffs."),
    h("button", { type: "button", onclick: async () => {
      try {
        await ask("/v1/jobs", { method: "POST", json: { kind: "backtest", model: model.id, name: `backtest ${model.name}`.slice(0, 128) } });
        await load();
      } catch (error) {
        said.textContent = error.message;
      }
    } }, "Backtest it"), said];
  await load();
}
