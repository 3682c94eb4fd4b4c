// Keyboard of the viewer: the one table that is acted on and that "?" lists.

const PAN_STEP = 60; // in CSS pixels
const WINDOW_STEP = 2; // in per cent of the display range

// [keys as event.key has them, keys as listed, what they do, action on the viewer]
const KEYS = [
  [["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"], "← → ↑ ↓", "Move over the picture", (viewer, key) => viewer.panBy(key)],
  [["+", "="], "+", "Zoom in", (viewer) => viewer.zoomBy(1.25)],
  [["-", "_"], "-", "Zoom out", (viewer) => viewer.zoomBy(0.8)],
  [["f"], "F", "Fit: show the whole picture", (viewer) => viewer.fit()],
  [["a"], "A", "Actual size, 1:1", (viewer) => viewer.actual()],
  [["shift+ArrowLeft", "shift+ArrowRight"], "Shift ← →", "Narrower or wider window", (viewer, key) => viewer.windowBy(key)],
  [["shift+ArrowUp", "shift+ArrowDown"], "Shift ↑ ↓", "Brighter or darker", (viewer, key) => viewer.windowBy(key)],
  [["v"], "V", "Next window preset", (viewer) => viewer.nextPreset()],
  [["i"], "I", "Invert black and white", (viewer) => viewer.invert()],
  [["x"], "X", "Reset zoom, window, measurements", (viewer) => viewer.reset()],
  [["p"], "P", "Drag moves the picture", (viewer) => viewer.useTool("pan")],
  [["w"], "W", "Drag sets the window", (viewer) => viewer.useTool("window")],
  [["m"], "M", "Drag measures a length", (viewer) => viewer.useTool("measure")],
  [["Delete", "Backspace"], "Delete", "Remove the last measurement", (viewer) => viewer.removeRuler()],
  [["r"], "R", "Right lung on or off", (viewer) => viewer.toggleLayer("right_lung")],
  [["l"], "L", "Left lung on or off", (viewer) => viewer.toggleLayer("left_lung")],
  [["h"], "H", "Heart on or off", (viewer) => viewer.toggleLayer("heart")],
  [["c"], "C", "Outline or fill", (viewer) => viewer.switchFill()],
  [["t"], "T", "Cardiothoracic ratio on or off", (viewer) => viewer.toggleLayer("ratio")],
  [["o"], "O", "Hide every layer, or show them again", (viewer) => viewer.hideLayers()],
  [["1", "2", "3", "4", "5", "6"], "1 to 6", "Heat map of that finding", (viewer, key) => viewer.chooseByNumber(Number(key))],
  [["0"], "0", "No heat map", (viewer) => viewer.chooseByNumber(0)],
  [["d"], "D", "Draw: correct the outlines with a brush", (viewer) => startCorrection(viewer)],
  [["?"], "?", "This list", (viewer) => viewer.toggleHelp()],
];

// Listed with the keys, acted on elsewhere.
const OTHER_CONTROLS = [
  ["wheel", "Zoom about the cursor"],
  ["right drag", "Window: across for width, up and down for centre"],
  ["middle drag", "Move the picture; Space with a drag does so too"],
  ["PgUp PgDn", "Previous or next study"],
  ["Tab", "Next control"],
];

function actionOfKey(event) {
  const arrow = event.key.startsWith("Arrow") && event.shiftKey ? `shift+${event.key}` : event.key;
  const name = arrow.length === 1 ? arrow.toLowerCase() : arrow;
  const found = KEYS.find(([keys]) => keys.includes(name));
  return found ? (viewer) => found[3](viewer, name) : null;
}

function listKeys(list) {
  const rows = [...KEYS.map(([, keys, meaning]) => [keys, meaning]), ...OTHER_CONTROLS];
  rows.push(...CORRECTING_KEYS.map(([keys, meaning]) => [keys, `While correcting. ${meaning}`]));
  list.replaceChildren(
    ...rows.map(([keys, meaning]) => {
      const row = document.createElement("div");
      const term = document.createElement("dt");
      const key = document.createElement("kbd");
      key.textContent = keys;
      term.append(key);
      const meant = document.createElement("dd");
      meant.textContent = meaning;
      row.append(term, meant);
      return row;
    }),
  );
}
