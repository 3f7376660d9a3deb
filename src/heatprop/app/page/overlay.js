// Boxes and their tags, onto a canvas: as heatprop/drawing draws them, in pixels of the screen.

import { INK, colourOf } from "./colours.js";
import { objectName, score } from "./format.js";

const FONT = "600 12px Inter, system-ui, sans-serif";
const TAG = 18; // height of a tag

/**
 * Draw the boxes of a frame.
 *
 * @param place {x, y, width, height, across, down}: where the frame lies on the canvas, and pixels of it for one of the source
 * @param look {labels: names of classes, marked: set of indices, colour: of the marks, dashed: whether they are, picked: index,
 *   taken: [{left, top, width, height}] where no tag goes}
 */
export function drawBoxes(context, frame, place, look) {
  if (!frame) return;
  context.save();
  context.font = FONT;
  context.textBaseline = "middle";
  context.lineJoin = "round";
  const strongestFirst = frame.boxes.map((_, index) => index).sort((one, other) => frame.scores[other] - frame.scores[one]);
  for (const index of strongestFirst.toReversed()) drawBox(context, corners(frame.boxes[index], place), index, frame, look);
  const taken = [...look.taken];
  for (const index of strongestFirst) drawTag(context, corners(frame.boxes[index], place), index, frame, look, place, taken);
  context.restore();
}

function corners([x1, y1, x2, y2], { x, y, across, down }) {
  return [x + x1 * across, y + y1 * down, (x2 - x1) * across, (y2 - y1) * down];
}

function drawBox(context, [x, y, width, height], index, frame, look) {
  if (look.marked.has(index)) {
    context.fillStyle = look.colour;
    context.globalAlpha = 0.16;
    context.fillRect(x, y, width, height);
    context.globalAlpha = 1;
    context.setLineDash(look.dashed ? [7, 5] : []);
    context.lineWidth = 3;
    context.strokeStyle = look.colour;
    context.strokeRect(x - 3.5, y - 3.5, width + 7, height + 7);
    context.setLineDash([]);
  }
  context.lineWidth = index === look.picked ? 6 : 4;
  context.strokeStyle = index === look.picked ? "#fff" : "rgb(16 18 22 / 65%)";
  context.strokeRect(x, y, width, height);
  context.lineWidth = 2;
  context.strokeStyle = colourOf(frame.labels[index]);
  context.strokeRect(x, y, width, height);
}

function drawTag(context, [x, y, width, height], index, frame, look, place, taken) {
  const name = objectName(look.labels[frame.labels[index]] ?? `class ${frame.labels[index]}`, frame.ids?.[index] ?? -1);
  const text = width < 40 ? name : `${name}  ${score(frame.scores[index])}`;
  const wide = context.measureText(text).width + 10;
  const left = Math.max(place.x, Math.min(x - 1, place.x + place.width - wide));
  const inside = Math.max(y, place.y) + 1;
  const free = [y - TAG - 1, inside, y + height - TAG - 1, inside + TAG + 2]
    .filter((top) => top >= place.y && top + TAG <= place.y + place.height)
    .find((top) => !taken.some((other) => left < other.left + other.width && other.left < left + wide && top < other.top + other.height && other.top < top + TAG));
  const top = free ?? inside;
  taken.push({ left, top, width: wide, height: TAG });
  context.fillStyle = colourOf(frame.labels[index]);
  context.fillRect(left, top, wide, TAG);
  context.fillStyle = INK;
  context.fillText(text, left + 5, top + TAG / 2 + 0.5);
}
