// Colours of classes: those of heatprop/drawing/pen.py, in the same order.

export const PALETTE = [
  [255, 176, 0],
  [86, 180, 233],
  [0, 190, 140],
  [240, 228, 66],
  [220, 130, 180],
  [230, 100, 20],
  [110, 145, 255],
  [190, 230, 110],
  [255, 150, 130],
  [120, 225, 225],
  [200, 160, 255],
  [205, 170, 110],
];

/** What is written on them, and around them. */
export const INK = "rgb(16 18 22)";

/** Network alone against propagation, on images; on the page they are in tokens.css. */
export const ON_IMAGE = { alone: "#ff9a57", propagated: "#7cb7ff" };

/** Return the colour of a class. */
export const colourOf = (label) => `rgb(${PALETTE[((label % PALETTE.length) + PALETTE.length) % PALETTE.length].join(" ")})`;
