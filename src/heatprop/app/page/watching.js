// A run that is watched: its player, its detections with the settings of the moment, and what shows them.

import { api } from "./api.js";
import { bestMatch, unmatched } from "./compare.js";
import { DetectionChunks } from "./detections.js";
import { byId, oncePerFrame, say } from "./dom.js";
import { Figure } from "./figure.js";
import { rows, writeFrame } from "./in_frame.js";
import { tieKeys } from "./keys.js";
import { Player } from "./player.js";
import { store } from "./store.js";
import { Strip } from "./strip.js";
import { frameSentence, tieSummary, writeTruth } from "./summary.js";
import { tieTransport } from "./transport.js";
import { Tuner } from "./tuner.js";
import { asked, buildTuning, defaults } from "./tuning.js";
import { Viewer } from "./viewer.js";

const OVERVIEW_EVERY = 250; // milliseconds
const LIST_EVERY = 150; // milliseconds, while the video plays

export class Watching {
  constructor(about, onError) {
    Object.assign(this, { about, onError, overviewTimer: null, overviewAsked: false, overviewAgain: false });
    const drawFrame = () => this.#drawFrame();
    this.chunks = new DetectionChunks((key, from, to) => api.detections(store.get().run.id, key, from, to), drawFrame, onError);
    this.player = new Player(byId("video"), {
      onShown: drawFrame,
      onMove: (frame) => store.set({ frame }),
      onState: () => {
        this.showState?.();
        this.writeList?.();
      },
    });
    this.viewer = new Viewer(this.player, (side, frame) => this.boxes(side, frame), (found) => this.pickBox(found));
    this.strip = new Strip(this.player, (object, frame) => this.pickObject(object, frame));
    this.figure = new Figure(this.player, (object) => this.pickObject(object), onError);
    this.tuner = new Tuner(() => this.#ask(), (answer) => this.#answered(answer), (error) => say(byId("tuning-error"), error.message));
    this.writeList = oncePerFrame(() => this.#writeList());
    this.showState = tieTransport(this.player);
    buildTuning(about, () => this.tuner.changed());
    this.#listenForTruth();
    tieSummary(this.player);
    tieKeys(this.player);
    store.on(["picked"], this.writeList);
  }

  /** Show a run: the answer of /api/runs/ID. */
  show(run) {
    this.close();
    this.chunks.clear(run.frames);
    byId("view-run").classList.toggle("file", !run.tunable);
    if (run.tunable && this.modeBefore) store.set({ mode: this.modeBefore });
    this.modeBefore = null;
    store.set({ run, settings: { ...defaults(this.about, run.settings?.form ?? "adaptive"), ...run.settings } });
    this.player.load(run.playable ? api.video(run.id) : null, run.rate, run.frames);
    if (run.tunable) this.tuner.changed();
    else this.#showFile(run);
  }

  /** Forget the run that is shown. */
  close() {
    this.tuner.drop();
    this.player.load(null, 25, 1);
    say(byId("tuning-error"), null);
    writeTruth(null);
    store.set({ run: null, key: null, alone: null, work: null, overview: null, picked: null, frame: 0 });
  }

  /** Return the detections of one side in a frame, null while they are not there. */
  boxes(side, frame) {
    const { key, alone } = store.get();
    return this.chunks.frame(side === "alone" ? alone : key, frame);
  }

  /** Show detections that were propagated before: there is nothing to tune, and no network alone. */
  #showFile(run) {
    this.modeBefore = store.get().mode;
    store.set({ key: run.key, alone: null, mode: "propagated", work: { frames: run.frames, total: run.frames, done: true } });
    this.#wantOverview();
  }

  #ask() {
    const { run, settings, frame } = store.get();
    return api.tune(run.id, asked(settings, this.about), frame);
  }

  #answered(answer) {
    const { run, picked } = store.get();
    say(byId("tuning-error"), null);
    const done = answer.done === true;
    this.chunks.preview({ [answer.key]: answer.preview, [answer.alone]: answer.alone_preview });
    store.set({ key: answer.key, alone: answer.alone, work: { frames: done ? run.frames : 0, total: run.frames, done } });
    if (picked) this.#find(picked);
    this.#wantOverview();
  }

  /** Take word of the whole video from the server: {run, key, frames, total, done}. */
  advanced({ run: id, key, frames, total, done }) {
    const { run, key: mine, alone } = store.get();
    if (run?.id !== id || (key !== mine && key !== alone)) return;
    this.chunks.advanced(key);
    if (key === mine) store.set({ work: { frames, total, done } });
    this.#wantOverview();
    this.#drawFrame();
  }

  /** Ask for the overview soon: one at a time, not too often, and once more when something changed meanwhile. */
  #wantOverview() {
    if (this.overviewTimer !== null || this.overviewAsked) {
      this.overviewAgain = true;
      return;
    }
    const wait = Math.max(0, (this.overviewLast ?? 0) + OVERVIEW_EVERY - performance.now());
    this.overviewTimer = setTimeout(() => {
      this.overviewTimer = null;
      this.#loadOverview();
    }, wait);
  }

  async #loadOverview() {
    const { run, key } = store.get();
    if (!run || key === null) return;
    this.overviewAsked = true;
    this.overviewAgain = false;
    this.overviewLast = performance.now();
    try {
      const overview = await api.overview(run.id, key);
      if (store.get().key !== key || store.get().run?.id !== run.id) return;
      const before = store.get().overview;
      // The strip of the settings before stays until the next one is whole.
      if (overview.done || before === null || before.key === key) store.set({ overview: { ...overview, key } });
      if (overview.done && !store.get().work?.done) store.set({ work: { frames: run.frames, total: run.frames, done: true } });
      this.#findAgain();
      this.figure.load();
      if (overview.done) await this.#loadTruth();
    } catch (error) {
      if (error.status !== 404) this.onError(error);
    } finally {
      this.overviewAsked = false;
      if (this.overviewAgain) this.#wantOverview();
    }
  }

  async #loadTruth() {
    const { run, key } = store.get();
    if (!run?.has_truth) return;
    const truth = await api.truth(run.id, key);
    if (store.get().key !== key || store.get().run !== run) return;
    writeTruth(truth);
  }

  #listenForTruth() {
    byId("truth-form").addEventListener("submit", async (event) => {
      event.preventDefault();
      const path = byId("truth-path").value.trim();
      say(byId("truth-error"), null);
      try {
        await api.act(store.get().run.id, "truth", { path: path || null });
        store.set({ run: { ...store.get().run, has_truth: path !== "" } });
        writeTruth(null);
        await this.#loadTruth();
      } catch (error) {
        say(byId("truth-error"), error.message);
      }
    });
  }

  /** Pick the object of a box: {side, frame, label, box}; null for none. */
  pickBox(found) {
    if (found === null) return store.set({ picked: null });
    this.#find({ frame: found.frame, label: found.label, box: found.box, id: null });
  }

  /** Pick an object of the overview; go to `frame`, or to where it is first seen. */
  pickObject(object, frame = object.spans[0][0]) {
    const [first, last] = object.spans.find(([, end]) => end >= frame) ?? object.spans.at(-1);
    const near = Math.max(first, Math.min(last, frame));
    this.player.jump(near);
    const { overview, key } = store.get();
    if (overview.key === key) return this.#find({ label: object.label, id: object.id, frame: near, box: null });
    const old = this.chunks.frame(overview.key, near); // the strip is still that of the settings before
    const index = old?.ids.indexOf(object.id) ?? -1;
    if (index >= 0) this.#find({ label: object.label, id: null, frame: near, box: old.boxes[index] });
  }

  /**
   * Set the picked object. Ids are others with other settings: then it is found by its box in its frame. Its id is null
   * while that is not known, and -1 where propagation does not show it.
   */
  #find(picked) {
    const { key, picked: before } = store.get();
    const frame = this.boxes("propagated", picked.frame);
    const found = { ...picked, key };
    if (frame === null || frame.isPreview) {
      if (picked.box !== null || (picked.key ?? key) !== key) found.id = null;
    } else if (picked.box !== null) {
      const match = bestMatch(frame, picked.label, picked.box, 0.4);
      found.id = match < 0 ? -1 : frame.ids[match];
    } else {
      const index = frame.ids.findIndex((id, place) => id === picked.id && frame.labels[place] === picked.label);
      found.box = index < 0 ? null : frame.boxes[index];
    }
    const isNews = before === null || ["key", "frame", "label", "id", "box"].some((name) => before[name] !== found[name]);
    if (isNews) store.set({ picked: found });
  }

  /** Find the picked object again where that could not be done yet. */
  #findAgain() {
    const { picked, key } = store.get();
    if (picked && (picked.id === null || picked.box === null || picked.key !== key)) this.#find(picked);
  }

  #drawFrame() {
    this.viewer?.draw();
    this.#findAgain();
    const now = performance.now();
    if (this.player.playing && now < (this.nextList ?? 0)) return;
    this.nextList = now + LIST_EVERY;
    this.writeList?.();
  }

  #writeList() {
    const { run, settings } = store.get();
    if (!run) return;
    const number = this.player.hasPicture ? this.player.shown : this.player.target;
    const [alone, propagated] = [this.boxes("alone", number), this.boxes("propagated", number)];
    if ((alone === null && run.tunable) || propagated === null) return;
    writeFrame(number, rows(alone, propagated), (found) => this.pickBox(found));
    const off = settings?.form === "none" || !run.tunable;
    byId("frame-sentence").textContent = off ? "" : frameSentence(unmatched(propagated, alone).size, unmatched(alone, propagated).size);
  }
}
