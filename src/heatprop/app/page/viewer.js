// The video with boxes: both, by a wipe, or one alone. The picture and its boxes are drawn together, so they are of one frame.

import { ON_IMAGE } from "./colours.js";
import { boxAt, unmatched } from "./compare.js";
import { byId, fitted, oncePerFrame, say } from "./dom.js";
import { drawBoxes } from "./overlay.js";
import { store } from "./store.js";

const GAP = 8; // between two panes
const ROUND = 10; // corners of a pane
const NOTHING = new Set();

export class Viewer {
  /**
   * @param player the Player
   * @param boxes (side, frame) => frame of detections or null; side is "alone" or "propagated"
   * @param onPick called with {side, frame, index} or null
   */
  constructor(player, boxes, onPick) {
    Object.assign(this, { player, boxes, onPick });
    this.share = 0.5; // where the wipe is
    this.stage = byId("stage");
    this.canvas = byId("canvas");
    this.wipe = byId("wipe");
    this.draw = oncePerFrame(() => this.#draw());
    new ResizeObserver(this.draw).observe(this.stage);
    store.on(["mode", "settings", "picked", "run"], this.draw);
    this.#listenToWipe();
    this.canvas.addEventListener("click", (event) => this.#pick(event));
  }

  #draw() {
    const { run, mode } = store.get();
    if (!run || this.stage.clientWidth === 0) return;
    const panes = this.#arrange(run, mode);
    const context = fitted(this.canvas, this.stage.clientWidth, this.height);
    context.clearRect(0, 0, this.stage.clientWidth, this.height);
    this.panes = panes;
    this.#place(panes);
    const number = this.player.hasPicture ? this.player.shown : this.player.target;
    const frames = { alone: this.boxes("alone", number), propagated: this.boxes("propagated", number) };
    for (const pane of panes) this.#drawPane(context, pane, frames, run);
    const waiting = panes.some((pane) => frames[pane.side] === null);
    say(byId("stage-note"), waiting && store.get().key ? "Boxes of this frame are on their way" : "");
    this.#describe(frames, number, run);
  }

  #drawPane(context, pane, frames, run) {
    context.save();
    context.beginPath();
    context.roundRect(pane.x, pane.y, pane.width, pane.height, this.stage.clientWidth < 700 ? 0 : ROUND);
    context.clip();
    context.beginPath();
    context.rect(pane.from, pane.y, pane.to - pane.from, pane.height);
    context.clip();
    context.fillStyle = "#0d0f13";
    context.fillRect(pane.x, pane.y, pane.width, pane.height);
    if (this.player.picture) context.drawImage(this.player.picture, pane.x, pane.y, pane.width, pane.height);
    const mine = frames[pane.side];
    const other = frames[pane.side === "alone" ? "propagated" : "alone"];
    const off = store.get().settings?.form === "none";
    drawBoxes(context, mine, pane, {
      labels: run.labels,
      marked: off ? NOTHING : unmatched(mine, other),
      colour: ON_IMAGE[pane.side],
      dashed: pane.side === "alone",
      picked: this.#picked(mine),
      taken: this.chips,
    });
    context.restore();
  }

  #picked(frame) {
    const { picked } = store.get();
    return picked && frame ? frame.ids.findIndex((id, index) => id === picked.id && frame.labels[index] === picked.label) : -1;
  }

  /** Return where each side is drawn: panes of x, y, width, height, scale, and from which x to which it is seen. */
  #arrange(run, mode) {
    const wide = this.stage.clientWidth;
    const most = Math.max(200, Math.min(innerHeight * 0.6, 620));
    const { picture } = this.player;
    const shape = picture ? picture.width / picture.height : run.width / run.height; // pixels of the source may not be square
    const pane = (side, x, y, width) => ({
      side, x, y, width, height: width / shape, across: width / run.width, down: width / shape / run.height, from: x, to: x + width,
    });
    if (mode === "both") {
      const beside = Math.min((wide - GAP) / 2, most * shape);
      const above = Math.min(wide, ((most - GAP) / 2) * shape);
      const stacked = above > beside * 1.5 || wide < 560;
      const width = Math.floor(stacked ? Math.min(wide, wide < 560 ? wide : above) : beside);
      const high = width / shape;
      this.height = Math.round(stacked ? 2 * high + GAP : high);
      const left = Math.round((wide - (stacked ? width : 2 * width + GAP)) / 2);
      return [pane("alone", left, 0, width), stacked ? pane("propagated", left, high + GAP, width) : pane("propagated", left + width + GAP, 0, width)];
    }
    const width = Math.floor(Math.min(wide, most * shape));
    const left = Math.round((wide - width) / 2);
    this.height = Math.round(width / shape);
    if (mode !== "wipe") return [pane(mode, left, 0, width)];
    const border = left + width * this.share;
    return [{ ...pane("alone", left, 0, width), to: border }, { ...pane("propagated", left, 0, width), from: border }];
  }

  #place(panes) {
    const { mode } = store.get();
    this.chips = []; // places where no tag goes
    for (const side of ["alone", "propagated"]) {
      const chip = byId(`chip-${side}`);
      const pane = panes.find((each) => each.side === side);
      chip.hidden = !pane || pane.to - pane.from < 24;
      if (chip.hidden) continue;
      const right = mode === "wipe" && side === "propagated";
      const x = Math.round(right ? pane.to - chip.offsetWidth - 10 : pane.from + 10);
      const y = Math.round(pane.y + pane.height - chip.offsetHeight - 10);
      chip.style.transform = `translate(${x}px, ${y}px)`;
      this.chips.push({ left: x, top: y, width: chip.offsetWidth, height: chip.offsetHeight });
    }
    this.wipe.hidden = mode !== "wipe";
    if (mode === "wipe") this.wipe.style.left = `${panes[0].to}px`;
    this.stage.classList.toggle("tall", this.height > innerHeight * 0.45);
  }

  #describe(frames, number, run) {
    const said = ["alone", "propagated"].filter((side) => frames[side]).map((side) => {
      const { labels } = frames[side];
      const names = labels.map((label) => run.labels[label]).join(", ") || "nothing";
      return `${side === "alone" ? "network alone" : "with propagation"}: ${names}`;
    });
    if (!this.player.playing) this.canvas.setAttribute("aria-label", `Frame ${number}. ${said.join("; ")}`);
  }

  #pick(event) {
    const bounds = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - bounds.left, event.clientY - bounds.top];
    const pane = this.panes?.find((each) => x >= each.from && x < each.to && y >= each.y && y < each.y + each.height);
    if (!pane) return;
    const number = this.player.shown;
    const frame = this.boxes(pane.side, number);
    const index = boxAt(frame, (x - pane.x) / pane.across, (y - pane.y) / pane.down, 4 / pane.across);
    this.onPick(index < 0 ? null : { side: pane.side, frame: number, label: frame.labels[index], box: frame.boxes[index] });
  }

  #listenToWipe() {
    const set = (share) => {
      this.share = Math.max(0, Math.min(1, share));
      this.wipe.setAttribute("aria-valuenow", Math.round(this.share * 100));
      this.wipe.setAttribute("aria-valuetext", `${Math.round(this.share * 100)} % network alone`);
      this.draw();
    };
    const follow = (event) => {
      const pane = this.panes[0];
      set((event.clientX - this.stage.getBoundingClientRect().left - pane.x) / pane.width);
    };
    this.wipe.addEventListener("pointerdown", (event) => {
      this.wipe.setPointerCapture(event.pointerId);
      this.wipe.addEventListener("pointermove", follow);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      this.wipe.addEventListener(name, () => this.wipe.removeEventListener("pointermove", follow));
    }
    this.wipe.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -0.05, ArrowRight: 0.05, Home: -1, End: 1 };
      if (!(event.key in steps) || event.shiftKey) return;
      set(this.share + steps[event.key]);
      event.preventDefault();
      event.stopPropagation();
    });
    set(this.share);
  }
}
