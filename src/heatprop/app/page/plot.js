// The drawing of figure 4: two scores over time.

import { drawing } from "./dom.js";
import { clock } from "./format.js";

const HEIGHT = 210;
const EDGE = { left: 34, right: 12, top: 10, bottom: 24 };

/**
 * Return {svg, xOf, frameAt, point} for scores of frames `from` to `from + network.length`.
 *
 * @param data {from, network: [score or null], propagated: [score or null]}
 * @param timeOf frame => seconds
 */
export function plotted(data, threshold, width, timeOf) {
  const frames = data.network.length;
  const inner = { width: width - EDGE.left - EDGE.right, height: HEIGHT - EDGE.top - EDGE.bottom };
  const best = Math.max(threshold, ...numbers(data.network), ...numbers(data.propagated));
  const top = Math.min(1, Math.max(0.4, Math.ceil(best * 5 + 0.25) / 5));
  const xOf = (frame) => EDGE.left + (frames < 2 ? 0.5 : (frame - data.from) / (frames - 1)) * inner.width;
  const yOf = (value) => EDGE.top + (1 - value / top) * inner.height;
  const svg = drawing("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, "aria-hidden": "true" });
  svg.append(
    ...bands(data, threshold, xOf, inner),
    ...grid(top, yOf, width),
    drawing("line", { class: "threshold", x1: EDGE.left, x2: width - EDGE.right, y1: yOf(threshold), y2: yOf(threshold) }),
    drawing("path", { class: "score alone", d: path(data.network, data.from, xOf, yOf) }),
    drawing("path", { class: "score propagated", d: path(data.propagated, data.from, xOf, yOf) }),
    ...times(data.from, frames, width, xOf, timeOf),
  );
  const now = drawing("line", { class: "now", y1: EDGE.top, y2: HEIGHT - EDGE.bottom });
  const dots = ["alone", "propagated"].map((side) => drawing("circle", { class: `dot ${side}`, r: 4.5 }));
  svg.append(now, ...dots);
  const frameAt = (x) => Math.round(data.from + Math.max(0, Math.min(1, (x - EDGE.left) / inner.width)) * (frames - 1));
  const point = (frame) => {
    const inside = frame >= data.from && frame < data.from + frames;
    now.classList.toggle("outside", !inside);
    for (const each of [now, ...dots]) each.setAttribute("visibility", inside ? "visible" : "hidden");
    if (!inside) return;
    now.setAttribute("x1", xOf(frame));
    now.setAttribute("x2", xOf(frame));
    [data.network, data.propagated].forEach((scores, side) => {
      const value = scores[frame - data.from];
      if (value === null || value === undefined) return dots[side].setAttribute("visibility", "hidden");
      dots[side].setAttribute("cx", xOf(frame));
      dots[side].setAttribute("cy", yOf(value));
    });
  };
  return { svg, xOf, frameAt, point };
}

const numbers = (scores) => scores.filter((value) => value !== null);

/** Return where only one side is at the threshold or above, as bands over the whole height. */
function bands(data, threshold, xOf, inner) {
  const state = data.network.map((network, index) => {
    const [alone, with_] = [(network ?? 0) >= threshold, (data.propagated[index] ?? 0) >= threshold];
    return alone === with_ ? null : with_ ? "only-propagated" : "only-alone";
  });
  const found = [];
  for (let index = 0; index < state.length; index += 1) {
    if (state[index] === null) continue;
    let end = index;
    while (state[end + 1] === state[index]) end += 1;
    const [left, right] = [xOf(data.from + index - 0.5), xOf(data.from + end + 0.5)];
    const x = Math.max(EDGE.left, left);
    const width = Math.min(EDGE.left + inner.width, right) - x;
    found.push(drawing("rect", { class: state[index], x, y: EDGE.top, width: Math.max(1, width), height: inner.height }));
    index = end;
  }
  return found;
}

function grid(top, yOf, width) {
  const lines = [];
  for (let value = 0; value <= top + 1e-9; value += 0.2) {
    const y = yOf(value);
    lines.push(drawing("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y, y2: y }));
    lines.push(drawing("text", { x: EDGE.left - 8, y: y + 4, "text-anchor": "end", text: value.toFixed(1) }));
  }
  return lines;
}

function times(from, frames, width, xOf, timeOf) {
  const marks = Math.max(2, Math.min(6, Math.floor(width / 110)));
  const places = Array.from({ length: marks }, (_, index) => from + Math.round((index / (marks - 1)) * (frames - 1)));
  return [...new Set(places)].map((frame, index, all) =>
    drawing("text", {
      x: xOf(frame),
      y: HEIGHT - 6,
      "text-anchor": index === 0 ? "start" : index === all.length - 1 ? "end" : "middle",
      text: clock(timeOf(frame)),
    }));
}

/** Return the line through the scores, with gaps where there is none. */
function path(scores, from, xOf, yOf) {
  let drawn = "";
  let pen = false;
  scores.forEach((value, index) => {
    if (value === null) {
      pen = false;
      return;
    }
    drawn += `${pen ? "L" : "M"}${xOf(from + index).toFixed(1)} ${yOf(value).toFixed(1)}`;
    if (!pen && (scores[index + 1] === null || index + 1 === scores.length)) drawn += "h0.01"; // one frame alone: a dot
    pen = true;
  });
  return drawn;
}
