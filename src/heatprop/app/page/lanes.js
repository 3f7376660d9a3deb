// Objects of a whole video, put into lanes: no two objects of a lane overlap in time, and each class has lanes of its own.

/**
 * Return [{label, lanes: [[object, ...], ...]}], the class that is seen most first.
 *
 * @param objects [{id, label, spans: [[first, last], ...], frames}]
 */
export function packed(objects) {
  const classes = new Map();
  for (const object of objects) {
    if (!classes.has(object.label)) classes.set(object.label, []);
    classes.get(object.label).push(object);
  }
  const seen = (group) => group.reduce((sum, object) => sum + object.frames, 0);
  return [...classes]
    .map(([label, group]) => ({ label, lanes: lanesOf(group), seen: seen(group) }))
    .sort((one, other) => other.seen - one.seen);
}

function lanesOf(objects) {
  const lanes = [];
  const ends = [];
  for (const object of [...objects].sort((one, other) => one.spans[0][0] - other.spans[0][0])) {
    const first = object.spans[0][0];
    let lane = ends.findIndex((end) => end < first);
    if (lane < 0) lane = lanes.push([]) - 1;
    lanes[lane].push(object);
    ends[lane] = object.spans.at(-1)[1];
  }
  return lanes;
}

/** Return how many of the sorted frames lie in each of `columns` equal parts of `total` frames. */
export function binned(frames, total, columns) {
  const bins = new Uint32Array(columns);
  for (const frame of frames) bins[Math.min(columns - 1, Math.floor((frame / total) * columns))] += 1;
  return bins;
}
