// What is in this frame, as a list: scores of the network alone and with propagation, side by side.

import { bestMatch } from "./compare.js";
import { colourOf } from "./colours.js";
import { byId, element } from "./dom.js";
import { objectName, score } from "./format.js";
import { store } from "./store.js";

/** Return the rows of a frame: {label, id, alone, propagated, box, side}; scores or null. */
export function rows(alone, propagated) {
  const taken = new Set();
  const found = (propagated?.boxes ?? []).map((box, index) => {
    const label = propagated.labels[index];
    const match = bestMatch(alone, label, box);
    if (match >= 0) taken.add(match);
    return { label, id: propagated.ids[index], alone: match < 0 ? null : alone.scores[match], propagated: propagated.scores[index], box, side: "propagated" };
  });
  (alone?.boxes ?? []).forEach((box, index) => {
    const label = alone.labels[index];
    if (taken.has(index) || bestMatch(propagated, label, box) >= 0) return;
    found.push({ label, id: -1, alone: alone.scores[index], propagated: null, box, side: "alone" });
  });
  return found;
}

/** Write the list; `onPick` is called with {side, frame, label, box} of a row that is clicked. */
export function writeFrame(frame, found, onPick) {
  const { run, picked } = store.get();
  const list = byId("in-frame");
  const focused = [...list.children].findIndex((item) => item.contains(document.activeElement));
  list.replaceChildren(...found.map((row) => {
    const name = objectName(run.labels[row.label] ?? `class ${row.label}`, row.id);
    const swatch = element("span", { class: "swatch" });
    swatch.style.background = colourOf(row.label);
    const cell = (side) => element("span", { class: `number ${row[side] === null ? "" : row[side === "alone" ? "propagated" : "alone"] === null ? side : ""}`, text: row[side] === null ? "–" : score(row[side]) });
    const said = `${name}: ${row.alone === null ? "not shown" : score(row.alone)} alone, ${row.propagated === null ? "not shown" : score(row.propagated)} with propagation`;
    const pressed = picked !== null && row.id >= 0 && picked.id === row.id && picked.label === row.label;
    return element("li", {}, element("button", {
      type: "button", class: "seen", "aria-label": said, "aria-pressed": String(pressed),
      on: { click: () => onPick({ side: row.side, frame, label: row.label, box: row.box }) },
    }, element("span", { class: "name" }, swatch, name), cell("alone"), cell("propagated")));
  }));
  byId("in-frame-empty").hidden = found.length > 0;
  if (focused >= 0) list.children[Math.min(focused, found.length - 1)]?.firstChild.focus();
}
