// One sentence that says what propagation does to this video, and one about this frame.

import { byId, element } from "./dom.js";
import { count, many } from "./format.js";
import { store } from "./store.js";

const different = (frames) => new Set(frames).size;

/** Return the numbers of the frames that propagation changed, in order. */
export function changedFrames(overview) {
  if (!overview) return [];
  return [...new Set([...overview.recovered, ...overview.suppressed])].sort((one, other) => one - other);
}

/** Return the sentence about the whole video, as pieces: texts, and [class, text]. */
export function sentence(overview, form, done) {
  if (form === "none") return ["Propagation is off: both sides show the network alone."];
  if (!overview) return ["Working out what propagation changes in this video …"];
  const { recovered, suppressed } = overview;
  const start = done ? "Propagation" : "So far propagation";
  if (recovered.length + suppressed.length === 0) {
    return [done ? "With these settings propagation shows the same boxes as the network alone." : "So far propagation changed nothing."];
  }
  const pieces = [`${start} `];
  if (recovered.length) {
    pieces.push(["says-propagated", `recovered ${many(recovered.length, "box", "boxes")}`], ` in ${many(different(recovered), "frame")} that the network alone missed`);
  }
  if (recovered.length && suppressed.length) pieces.push(", and ");
  if (suppressed.length) {
    pieces.push(["says-alone", `suppressed ${recovered.length ? count(suppressed.length) : many(suppressed.length, "box", "boxes")}`]);
    pieces.push(` in ${many(different(suppressed), "frame")} that it showed for a moment`.replace("that it", recovered.length ? "that it" : "that the network alone"));
  }
  return [...pieces, "."];
}

/** Return the sentence about a frame: what is marked in it. */
export function frameSentence(recovered, suppressed) {
  if (recovered + suppressed === 0) return "In this frame both show the same.";
  const said = [];
  if (recovered) said.push(`${count(recovered)} recovered (drawn with a blue frame)`);
  if (suppressed) said.push(`${count(suppressed)} suppressed (dashed orange, network alone)`);
  return `In this frame: ${said.join(", ")}. N goes to the next change.`;
}

/** Write the sentence whenever what it rests on changes. */
export function tieSummary() {
  store.on(["overview", "settings", "work"], ({ overview, settings, work }) => {
    const pieces = sentence(overview, settings?.form, Boolean(work?.done && overview?.done));
    byId("sentence").replaceChildren(
      ...pieces.map((piece) => (typeof piece === "string" ? piece : element("span", { class: piece[0], text: piece[1] }))),
    );
  });
}

/** Write AP and false alarms of both sides; nothing without annotations. */
export function writeTruth(truth) {
  const place = byId("truth-sentence");
  place.hidden = !truth;
  if (!truth) return;
  const percent = (value) => (value === null || value === undefined ? "none" : (100 * value).toFixed(1));
  place.replaceChildren(
    "Against the annotations: AP ",
    element("span", { class: "says-alone", text: percent(truth.ap?.alone) }),
    " alone, ",
    element("span", { class: "says-propagated", text: percent(truth.ap?.propagated) }),
    " with propagation; false alarms a frame ",
    element("span", { class: "says-alone", text: (truth.false_alarms?.alone ?? 0).toFixed(2) }),
    " alone, ",
    element("span", { class: "says-propagated", text: (truth.false_alarms?.propagated ?? 0).toFixed(2) }),
    " with propagation.",
  );
}
