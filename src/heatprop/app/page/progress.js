// A run that is not done: how far it is, and what can be done about it.

import { api } from "./api.js";
import { announce, byId, say } from "./dom.js";
import { count, duration, many } from "./format.js";
import { store } from "./store.js";

const PICTURE_EVERY = 600; // milliseconds

const TITLES = {
  queued: "Waiting for the video before it",
  running: "Detecting",
  paused: "Paused",
  cancelled: "Stopped early",
  failed: "This did not work",
  interrupted: "Interrupted: heatprop app ended while it ran",
};
const ACTIONS = {
  pause: { states: ["running"], says: "Pause" },
  resume: { states: ["paused", "interrupted", "cancelled", "failed"], says: "Go on" },
  cancel: { states: ["queued", "running", "paused"], says: "Stop here" },
};

/** Tie the buttons to the server; `onError` is called with an error. */
export function tieProgress(onError) {
  for (const action of Object.keys(ACTIONS)) {
    byId(action).addEventListener("click", async () => {
      try {
        await api.act(store.get().selected, action);
      } catch (error) {
        onError(error);
      }
    });
  }
  store.on(["runs", "selected"], ({ runs, selected }) => write(runs.find((run) => run.id === selected)));
}

function write(run) {
  const place = byId("progress");
  place.hidden = !run || run.state === "done";
  if (place.hidden) return;
  say(byId("progress-title"), TITLES[run.state] ?? run.state);
  say(byId("progress-error"), run.error);
  for (const [action, { states, says }] of Object.entries(ACTIONS)) {
    byId(action).hidden = !states.includes(run.state);
    byId(action).textContent = action === "resume" && run.state === "failed" ? "Try again" : says;
  }
  const bar = byId("progress-bar");
  bar.hidden = run.state === "failed" && run.frames === 0;
  if (run.total) Object.assign(bar, { max: run.total, value: run.frames });
  else if (run.state === "running") bar.removeAttribute("value");
  else Object.assign(bar, { max: 1, value: 0 });
  byId("progress-text").textContent = numbers(run);
  showPicture(run);
  if (run.state === "running" && run.total) announce(`${Math.floor((10 * run.frames) / run.total) * 10} % detected`);
}

function numbers(run) {
  const said = [run.total ? `${count(run.frames)} of ${many(run.total, "frame")}` : many(run.frames, "frame")];
  if (run.state === "running" && run.fps) said.push(`${run.fps.toFixed(1)} frames/s`);
  if (run.state === "running" && run.seconds_left) said.push(`${duration(run.seconds_left)} left`);
  return said.join(" · ");
}

let next = 0;

/** Show the newest picture, not more often than it can be looked at. */
function showPicture(run) {
  const image = byId("progress-frame");
  const live = ["running", "paused"].includes(run.state) && run.frames > 0;
  if (!live || image.dataset.run !== run.id) {
    image.hidden = true;
    image.dataset.run = run.id;
  }
  if (!live || performance.now() < next) return;
  next = performance.now() + PICTURE_EVERY;
  const loaded = new Image();
  loaded.addEventListener("load", () => {
    if (image.dataset.run !== run.id || byId("progress").hidden) return;
    image.src = loaded.src;
    image.hidden = false;
  });
  loaded.src = api.image(run.id, run.frames - 1);
}
