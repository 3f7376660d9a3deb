// The whole video on a strip: what propagation changed, objects by class and id, cuts, key frames. Click or drag to seek.

import { colourOf } from "./colours.js";
import { byId, fitted, oncePerFrame, onSchemeChange, pageColours } from "./dom.js";
import { clock, objectName } from "./format.js";
import { binned, packed } from "./lanes.js";
import { store } from "./store.js";
import { timeOf } from "./transport.js";

const CHANGES = 46; // height of the bars of changes
const AXIS = 18;
const LANES = 200; // height of all lanes at most
const CLASS_GAP = 7;

export class Strip {
  /**
   * @param player the Player
   * @param onPick called with an object that is clicked, and the frame
   */
  constructor(player, onPick) {
    Object.assign(this, { player, onPick });
    this.stage = byId("strip");
    this.canvas = byId("strip-canvas");
    this.head = byId("strip-head");
    this.tip = byId("strip-tip");
    this.draw = oncePerFrame(() => this.#draw());
    new ResizeObserver(this.draw).observe(this.stage);
    onSchemeChange(this.draw);
    store.on(["overview", "run", "picked"], this.draw);
    store.on(["frame"], () => this.#moveHead());
    this.#listen();
  }

  #x(frame) {
    return this.left + ((frame + 0.5) / this.total) * this.width;
  }

  #frame(event) {
    const x = event.clientX - this.stage.getBoundingClientRect().left;
    return Math.max(0, Math.min(this.total - 1, Math.floor(((x - this.left) / this.width) * this.total)));
  }

  #draw() {
    const { run, overview, picked } = store.get();
    const wide = this.stage.clientWidth;
    if (!run || wide === 0) return;
    const colours = pageColours();
    this.total = Math.max(1, run.frames);
    this.left = wide < 560 ? 78 : 92;
    this.width = wide - this.left - 2;
    const groups = packed(overview?.objects ?? []);
    const lanes = groups.reduce((sum, group) => sum + group.lanes.length, 0);
    const pitch = Math.max(2, Math.min(9, (LANES - groups.length * CLASS_GAP) / Math.max(1, lanes)));
    const needed = groups.reduce((sum, group) => sum + Math.max(14, group.lanes.length * pitch) + CLASS_GAP, 0);
    const bottom = CHANGES + 8 + Math.max(24, needed);
    const context = fitted(this.canvas, wide, bottom + AXIS);
    context.clearRect(0, 0, wide, bottom + AXIS);
    context.font = "12px Inter, system-ui, sans-serif";
    this.#drawGround(context, run, colours, bottom);
    this.#drawChanges(context, overview, colours);
    this.#drawLanes(context, groups, pitch, run, colours, picked);
    this.#drawAxis(context, run, colours, bottom);
    byId("legend-cut").hidden = cutsOf(run).length === 0;
    byId("legend-key").hidden = !sparse(run);
    this.stage.setAttribute("aria-valuemax", this.total - 1);
    this.#moveHead();
  }

  #drawGround(context, run, colours, bottom) {
    context.fillStyle = colours.sunken;
    context.fillRect(this.left, 0, this.width, bottom);
    const cuts = cutsOf(run);
    context.fillStyle = cuts.length * 24 < this.width ? colours.ink : colours["line-strong"];
    for (const cut of cuts) context.fillRect(Math.round(this.left + (cut / this.total) * this.width), 0, 1, bottom);
    context.fillStyle = colours["line-strong"];
    context.fillRect(this.left, CHANGES / 2 + 4, this.width, 1);
    context.textBaseline = "middle";
    context.textAlign = "right";
    context.fillStyle = colours.muted;
    context.fillText("changes", this.left - 10, CHANGES / 2 + 4);
  }

  #drawChanges(context, overview, colours) {
    if (!overview) return;
    const columns = Math.max(1, Math.min(Math.floor(this.width / 2), this.total));
    const step = this.width / columns;
    const up = binned(overview.recovered, this.total, columns);
    const down = binned(overview.suppressed, this.total, columns);
    const most = Math.max(1, ...up, ...down);
    const height = (number) => (number ? Math.max(2, (number / most) * (CHANGES / 2)) : 0);
    const middle = CHANGES / 2 + 4;
    const bar = Math.max(1.5, Math.min(step - 0.5, step * 0.9));
    for (let column = 0; column < columns; column += 1) {
      const x = this.left + column * step;
      context.fillStyle = colours.propagated;
      context.fillRect(x, middle - height(up[column]), bar, height(up[column]));
      context.fillStyle = colours.alone;
      context.fillRect(x, middle + 1, bar, height(down[column]));
    }
  }

  #drawLanes(context, groups, pitch, run, colours, picked) {
    this.places = [];
    let y = CHANGES + 12;
    for (const { label, lanes } of groups) {
      const high = Math.max(14, lanes.length * pitch);
      context.fillStyle = colours.ink;
      context.fillText(shortened(context, run.labels[label] ?? `class ${label}`, this.left - 30), this.left - 10, y + Math.min(high, 16) / 2);
      lanes.forEach((lane, row) => {
        for (const object of lane) {
          const mine = picked !== null && picked.id === object.id && picked.label === object.label;
          const top = y + row * pitch;
          for (const [first, last] of object.spans) {
            const x = this.left + (first / this.total) * this.width;
            const width = Math.max(1.5, ((last - first + 1) / this.total) * this.width - 0.5);
            this.#drawSpan(context, x, top, width, Math.max(1.5, pitch - 2), colourOf(label), colours, mine);
          }
          this.places.push({ object, top: top - 1, bottom: top + pitch - 1 });
        }
      });
      y += high + CLASS_GAP;
    }
  }

  #drawSpan(context, x, y, width, height, colour, colours, picked) {
    if (picked) {
      context.fillStyle = colours.ink;
      context.fillRect(x - 2, y - 2, width + 4, height + 4);
    }
    context.fillStyle = colour;
    context.fillRect(x, y, width, height);
    context.fillStyle = "rgb(16 18 22 / 45%)"; // an edge below: bright colours on a bright ground
    if (height > 4) context.fillRect(x, y + height - 1, width, 1);
  }

  #drawAxis(context, run, colours, bottom) {
    context.fillStyle = colours.muted;
    if (sparse(run)) for (const frame of run.keyframes) context.fillRect(this.#x(frame) - 1, bottom - 4, 2, 3);
    const seconds = timeOf(run, this.total - 1);
    const steps = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
    const step = steps.find((each) => (each / Math.max(seconds, 0.001)) * this.width > 64) ?? 7200;
    context.textBaseline = "alphabetic";
    for (let time = 0; time <= seconds + 1e-6; time += step) {
      const x = this.left + (time / Math.max(seconds, 0.001)) * (this.width - 1);
      context.textAlign = time === 0 ? "left" : x > this.left + this.width - 24 ? "right" : "center";
      context.fillText(step < 1 ? `${time.toFixed(1)} s` : clock(time).replace(/\.\d+$/, ""), x, bottom + AXIS - 4);
    }
  }

  #moveHead() {
    const { run, frame } = store.get();
    if (!run || !this.total) return;
    this.head.style.transform = `translateX(${this.#x(frame)}px)`;
    this.stage.setAttribute("aria-valuenow", frame);
    this.stage.setAttribute("aria-valuetext", `frame ${frame} of ${this.total}, ${clock(timeOf(run, frame))}`);
  }

  #objectAt(event) {
    const y = event.clientY - this.stage.getBoundingClientRect().top;
    const frame = this.#frame(event);
    const slack = Math.max(1, (this.total / this.width) * 3);
    return this.places?.find(({ object, top, bottom }) =>
      y >= top && y < bottom && object.spans.some(([first, last]) => frame >= first - slack && frame <= last + slack))?.object;
  }

  #listen() {
    let start = null;
    let wasPlaying = false;
    this.stage.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      start = event.clientX;
      wasPlaying = this.player.playing;
      this.player.stop();
      this.stage.setPointerCapture(event.pointerId);
      this.player.seek(this.#frame(event));
    });
    this.stage.addEventListener("pointermove", (event) => {
      if (start !== null) this.player.seek(this.#frame(event));
      this.#showTip(event);
    });
    this.stage.addEventListener("pointerup", (event) => {
      const object = start !== null && Math.abs(event.clientX - start) < 4 ? this.#objectAt(event) : null;
      if (object) this.onPick(object, this.#frame(event));
      else if (start !== null && wasPlaying) this.player.play();
      start = null;
    });
    this.stage.addEventListener("pointercancel", () => (start = null));
    this.stage.addEventListener("pointerleave", () => (this.tip.hidden = true));
  }

  #showTip(event) {
    const { run } = store.get();
    if (!run) return;
    const object = this.#objectAt(event);
    const frame = this.#frame(event);
    const time = clock(timeOf(run, frame));
    this.tip.textContent = object ? `${objectName(run.labels[object.label], object.id)}, best score ${object.best.toFixed(2)} · ${time}` : `${time} · frame ${frame}`;
    this.tip.hidden = false;
    const bounds = this.stage.getBoundingClientRect();
    const most = bounds.width - this.tip.offsetWidth;
    this.tip.style.left = `${Math.max(0, Math.min(most, event.clientX - bounds.left - this.tip.offsetWidth / 2))}px`;
    this.tip.style.top = `${this.stage.offsetTop - this.tip.offsetHeight - 6}px`;
  }
}

/** Return where shots begin, but for the first. */
const cutsOf = (run) => (run.cuts ?? []).filter((frame) => frame > 0);

/** Whether only some frames are key frames. */
const sparse = (run) => Boolean(run.keyframes?.length) && run.keyframes.length < run.frames;

function shortened(context, text, width) {
  if (context.measureText(text).width <= width + 20) return text;
  let kept = text;
  while (kept.length > 1 && context.measureText(`${kept}…`).width > width + 20) kept = kept.slice(0, -1);
  return `${kept}…`;
}
