// Figure 4 of the paper, for the object that is picked: its score over time, network alone against propagation.

import { api } from "./api.js";
import { byId, element, oncePerFrame, say } from "./dom.js";
import { clock, many, objectName } from "./format.js";
import { plotted } from "./plot.js";
import { store } from "./store.js";
import { timeOf } from "./transport.js";

const LISTED = 200; // objects to choose from
const NOT_YET = "This object is not there yet: the whole video is being worked through.";

/** Return why there is nothing to see. */
function why(run, picked, settings) {
  if (settings?.form === "none") return "Propagation is off. Choose a form of it to see scores over time.";
  if (!run || picked === null) return null;
  if (picked.id === null) return NOT_YET;
  return `With these settings propagation does not show this ${run.labels[picked.label] ?? "object"} here.`;
}

export class Figure {
  /**
   * @param player the Player
   * @param onPick called with an object that is chosen from the list
   * @param onError called with an error
   */
  constructor(player, onPick, onError) {
    Object.assign(this, { player, onPick, onError });
    this.data = null;
    this.asked = 0;
    this.draw = oncePerFrame(() => this.#draw());
    new ResizeObserver(this.draw).observe(byId("figure-title").parentElement);
    store.on(["picked", "key", "run"], () => this.load());
    store.on(["overview", "picked"], () => this.#list());
    store.on(["frame"], ({ frame }) => {
      this.plot?.point(frame);
      if (this.#isElsewhere(frame)) this.load(frame);
    });
    byId("object").addEventListener("change", (event) => this.#choose(event.target.value));
    this.#listen();
  }

  /** Whether an object that is too long for one answer has other scores at a frame. */
  #isElsewhere(frame) {
    const { picked, overview, key } = store.get();
    if (!this.data || this.around === frame || (frame >= this.data.from && frame < this.data.from + this.data.network.length)) return false;
    if (this.key !== key) return false;
    const spans = overview?.objects.find(({ id }) => id === picked?.id)?.spans;
    return Boolean(spans) && frame >= spans[0][0] && frame <= spans.at(-1)[1];
  }

  /** Ask for the scores of the picked object around a frame; the newest wish wins. */
  async load(around = store.get().picked?.frame ?? 0) {
    const { run, key, picked, settings } = store.get();
    const mine = ++this.asked;
    Object.assign(this, { around, key });
    if (!run || key === null || picked === null || picked.id === null || picked.id < 0) {
      this.data = null;
      this.#empty(why(run, picked, settings));
      return;
    }
    try {
      const data = await api.score(run.id, key, picked.id, around);
      if (mine !== this.asked) return;
      this.data = data.network.length ? data : null;
      this.threshold = settings.score_threshold;
      if (this.data === null) this.#empty(NOT_YET);
      else this.draw();
    } catch (error) {
      if (mine !== this.asked) return;
      this.data = null;
      if (error.status === 404) this.#empty(NOT_YET);
      else this.onError(error);
    }
  }

  #empty(text) {
    byId("figure-body").hidden = true;
    this.plot = null;
    say(byId("figure-empty"), text ?? "Click a box in the video, or choose an object, to see its score over time: network alone against propagation.");
  }

  #draw() {
    const { run, frame, picked } = store.get();
    if (!this.data || !run || picked === null) return;
    byId("figure-empty").hidden = true;
    byId("figure-body").hidden = false;
    const place = byId("plot");
    this.plot = plotted(this.data, this.threshold, Math.max(280, place.clientWidth), (each) => timeOf(run, each));
    place.replaceChildren(this.plot.svg);
    this.plot.point(frame);
    byId("figure-sentence").replaceChildren(...this.#sentence(run, picked));
  }

  #sentence(run, picked) {
    const { from, network, propagated } = this.data;
    const shown = (scores) => scores.filter((value) => (value ?? 0) >= this.threshold).length;
    const name = objectName(run.labels[picked.label], picked.id);
    const [first, last] = [timeOf(run, from), timeOf(run, from + network.length - 1)];
    return [
      `${name}, from ${clock(first)} to ${clock(last)}: `,
      element("span", { class: "says-propagated", text: `propagation shows it in ${many(shown(propagated), "frame")}` }),
      ", ",
      element("span", { class: "says-alone", text: `the network alone in ${shown(network)}` }),
      ".",
    ];
  }

  #list() {
    const { overview, run, picked } = store.get();
    if (!run) return;
    const objects = [...(overview?.objects ?? [])].sort((one, other) => other.frames - one.frames).slice(0, LISTED);
    const options = objects.map((object) =>
      element("option", { value: `${object.label}/${object.id}`, text: `${objectName(run.labels[object.label], object.id)} · ${many(object.frames, "frame")}` }));
    const chosen = picked ? `${picked.label}/${picked.id}` : "";
    const named = options.some((option) => option.value === chosen);
    byId("object").replaceChildren(element("option", { value: "", text: objects.length ? "choose" : "none" }), ...options);
    byId("object").value = named ? chosen : "";
    byId("object").disabled = objects.length === 0;
  }

  #choose(value) {
    const object = store.get().overview?.objects.find((each) => `${each.label}/${each.id}` === value);
    if (object) this.onPick(object);
  }

  #listen() {
    const place = byId("plot");
    let drags = false;
    const follow = (event) => this.plot && this.player.seek(this.plot.frameAt(event.clientX - place.getBoundingClientRect().left));
    place.addEventListener("pointerdown", (event) => {
      drags = true;
      this.player.stop();
      place.setPointerCapture(event.pointerId);
      follow(event);
    });
    place.addEventListener("pointermove", (event) => drags && follow(event));
    for (const name of ["pointerup", "pointercancel"]) place.addEventListener(name, () => (drags = false));
  }
}
