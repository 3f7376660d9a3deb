// Buttons, clock and modes under the video.

import { byId } from "./dom.js";
import { clock } from "./format.js";
import { store } from "./store.js";

export const MODES = ["both", "wipe", "alone", "propagated"];

/** Tie the buttons to a player; returns a function to call when it starts or stops. */
export function tieTransport(player) {
  byId("play").addEventListener("click", () => player.toggle());
  byId("step-back").addEventListener("click", () => player.step(-1));
  byId("step-forward").addEventListener("click", () => player.step(1));
  byId("modes").addEventListener("change", (event) => store.set({ mode: event.target.value }));
  store.on(["mode"], ({ mode }) => check(mode));
  store.on(["frame", "run"], ({ frame, run }) => run && write(frame, run));
  check(store.get().mode);
  return () => {
    byId("play").classList.toggle("playing", player.playing);
    byId("play").setAttribute("aria-label", player.playing ? "Pause" : "Play");
  };
}

/** Return the time of a frame in seconds. */
export const timeOf = (run, frame) => run.times?.[frame] ?? frame / run.rate;

/** Show the next mode. */
export function nextMode() {
  store.set({ mode: MODES[(MODES.indexOf(store.get().mode) + 1) % MODES.length] });
}

function check(mode) {
  for (const input of byId("modes").querySelectorAll("input")) input.checked = input.value === mode;
}

function write(frame, run) {
  byId("clock-now").textContent = clock(timeOf(run, frame));
  byId("clock-end").textContent = clock(timeOf(run, Math.max(0, run.frames - 1)));
  byId("clock-frame").textContent = `frame ${frame}`;
}
