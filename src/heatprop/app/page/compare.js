// What propagation changed in a frame: the same rule as the server's overview.

/** Return the overlap of two boxes, intersection over union. */
export function overlap(one, other) {
  const width = Math.min(one[2], other[2]) - Math.max(one[0], other[0]);
  const height = Math.min(one[3], other[3]) - Math.max(one[1], other[1]);
  if (width <= 0 || height <= 0) return 0;
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  return (width * height) / (area(one) + area(other) - width * height);
}

/** Return the index of the box of `label` that overlaps `box` most, by 0.5 or more; -1 where there is none. */
export function bestMatch(frame, label, box, least = 0.5) {
  let [best, at] = [least, -1];
  frame?.boxes.forEach((other, index) => {
    if (frame.labels[index] !== label) return;
    const shared = overlap(box, other);
    if (shared >= best) [best, at] = [shared, index];
  });
  return at;
}

/** Return which boxes of `frame` have no counterpart in `other`, as a set of indices. */
export function unmatched(frame, other) {
  const found = new Set();
  if (!frame || !other) return found;
  frame.boxes.forEach((box, index) => {
    if (bestMatch(other, frame.labels[index], box) < 0) found.add(index);
  });
  return found;
}

/** Return the index of the smallest box around a point, within `slack`; -1 where there is none. */
export function boxAt(frame, x, y, slack) {
  let [least, at] = [Infinity, -1];
  frame?.boxes.forEach(([x1, y1, x2, y2], index) => {
    if (x < x1 - slack || x > x2 + slack || y < y1 - slack || y > y2 + slack) return;
    const area = (x2 - x1) * (y2 - y1);
    if (area < least) [least, at] = [area, index];
  });
  return at;
}
