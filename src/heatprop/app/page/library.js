// The list of runs.

import { byId, element } from "./dom.js";
import { duration, many } from "./format.js";
import { store } from "./store.js";

const STATES = { queued: "waiting", paused: "paused", cancelled: "stopped early", interrupted: "interrupted" };

/** Return one line about a run. */
export function stateOf(run) {
  if (run.state === "done") return `${many(run.frames, "frame")} · ${run.model ?? "results"}`;
  if (run.state === "failed") return "failed";
  if (run.state === "running") {
    const share = run.total ? `${Math.floor((100 * run.frames) / run.total)} %` : many(run.frames, "frame");
    return run.seconds_left ? `${share} · ${duration(run.seconds_left)} left` : share;
  }
  const far = run.total && run.frames ? ` at ${Math.floor((100 * run.frames) / run.total)} %` : "";
  return `${STATES[run.state] ?? run.state}${far}`;
}

/** Show the runs, and tell `onSelect` of the one that is chosen, null for opening another. */
export function tieLibrary(onSelect) {
  byId("open-new").addEventListener("click", () => onSelect(null));
  byId("back").addEventListener("click", () => onSelect(null));
  store.on(["runs", "selected"], ({ runs, selected }) => write(runs, selected, onSelect));
  write([], null, onSelect);
}

function write(runs, selected, onSelect) {
  const list = byId("runs");
  byId("no-runs").hidden = runs.length > 0;
  const known = new Map([...list.children].map((item) => [item.dataset.id, item]));
  const items = runs.map((run) => {
    const item = known.get(run.id) ?? entry(run.id, onSelect);
    update(item, run, selected);
    return item;
  });
  // Only what moved is touched: focus stays where it is.
  items.forEach((item, index) => list.children[index] !== item && list.insertBefore(item, list.children[index] ?? null));
  while (list.children.length > items.length) list.lastChild.remove();
}

function entry(id, onSelect) {
  const button = element("button", { type: "button", class: "run", on: { click: () => onSelect(id) } },
    element("span", { class: "run-label" }), element("span", { class: "run-state" }), element("progress", { "aria-label": "Frames detected" }));
  const item = element("li", {}, button);
  item.dataset.id = id;
  return item;
}

function update(item, run, selected) {
  const [label, state, bar] = item.firstChild.children;
  label.textContent = run.name;
  state.textContent = stateOf(run);
  state.classList.toggle("failed", run.state === "failed");
  bar.hidden = run.state !== "running" || !run.total;
  if (!bar.hidden) Object.assign(bar, { max: run.total, value: run.frames });
  if (run.id === selected) item.firstChild.setAttribute("aria-current", "true");
  else item.firstChild.removeAttribute("aria-current");
}
