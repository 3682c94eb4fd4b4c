// Correcting the outlines by hand: the bar that is shown meanwhile, its keys, and strokes of the brush.

const BRUSH = { least: 4, most: 160, first: 30, step: 1.25 }; // diameter in CSS pixels at any zoom
const CORRECTING_KEYS = [
  ["B", "Brush: add to the organ"],
  ["E", "Eraser: take away from it"],
  ["[ ]", "Smaller or larger brush"],
  ["R L H", "Choose right lung, left lung or heart"],
  ["Ctrl Z", "Undo a stroke; with Shift, redo it"],
  ["Enter", "Done: use what was drawn"],
  ["Esc", "Leave everything as it was"],
];

function bindCorrection(viewer) {
  const actions = {
    correct: () => startCorrection(viewer),
    undo: () => stepCorrection(viewer, "undo"),
    redo: () => stepCorrection(viewer, "redo"),
    machine: () => useMachineOutlines(viewer),
    cancel: () => leaveCorrection(viewer),
    done: () => finishCorrection(viewer),
  };
  for (const button of viewer.all("[data-correct]")) button.onclick = actions[button.dataset.correct];
  for (const button of viewer.all("[data-organ]")) button.onclick = () => setBrush(viewer, { organ: Number(button.dataset.organ) });
  for (const button of viewer.all("[data-brush]")) button.onclick = () => setBrush(viewer, { erase: button.dataset.brush === "erase" });
  viewer.one("[data-size]").oninput = ({ target }) => setBrush(viewer, { size: target.valueAsNumber });
}

function startCorrection(viewer) {
  const masks = viewer.picture?.masks;
  if (!masks || viewer.correcting) return;
  const drawing = new Drawing(masks.bits, masks.side, viewer.header);
  viewer.brush ??= { organ: 2, erase: false, size: BRUSH.first };
  viewer.correcting = drawing;
  viewer.useTool("draw");
  viewer.canvas.focus({ preventScroll: true });
  showCorrection(viewer);
  viewer.say("Correcting the outlines. Paint with the mouse; Enter when done.");
}

function leaveCorrection(viewer) {
  if (!viewer.correcting) return;
  viewer.correcting = viewer.brushAt = null;
  viewer.useTool("pan");
  showCorrection(viewer);
  viewer.canvas.focus({ preventScroll: true });
}

async function finishCorrection(viewer) {
  const { correcting, study } = viewer;
  if (!correcting) return;
  if (correcting.done.length > 0) viewer.send("corrected", { study, masks: await correcting.packed() });
  leaveCorrection(viewer);
}

function useMachineOutlines(viewer) {
  viewer.send("corrected", { study: viewer.study, masks: null });
  leaveCorrection(viewer);
}

function stepCorrection(viewer, which) {
  viewer.correcting?.[which]();
  showCorrection(viewer);
}

function setBrush(viewer, change) {
  Object.assign(viewer.brush, change);
  viewer.brush.size = Math.min(Math.max(viewer.brush.size, BRUSH.least), BRUSH.most);
  if (viewer.tool !== "draw") viewer.useTool("draw");
  showCorrection(viewer);
}

// Bring the bar to what is being drawn.
function showCorrection(viewer) {
  const drawing = viewer.correcting;
  viewer.one("[data-correcting]").hidden = !drawing;
  viewer.one(".layers").hidden = Boolean(drawing); // what is drawn stands for them
  const start = viewer.one("[data-correct=correct]");
  start.disabled = !viewer.picture?.masks;
  start.ariaPressed = String(Boolean(drawing));
  if (drawing) {
    const { organ, erase, size } = viewer.brush;
    for (const button of viewer.all("[data-organ]")) button.ariaPressed = String(Number(button.dataset.organ) === organ);
    for (const button of viewer.all("[data-brush]")) button.ariaPressed = String((button.dataset.brush === "erase") === erase);
    viewer.one("[data-size]").value = String(size);
    viewer.one("[data-correct=undo]").disabled = drawing.done.length === 0;
    viewer.one("[data-correct=redo]").disabled = drawing.undone.length === 0;
    const ratio = drawing.ratio();
    viewer.one("[data-drawn-ratio]").textContent = `CT ratio ${ratio === null ? "not measurable" : ratio.toFixed(2)}`;
  }
  viewer.changed();
}

// Keys while correcting; true when the key was one of them.
function correctionKey(viewer, event) {
  if (!viewer.correcting) return false;
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    if (key !== "z" && key !== "y") return false;
    stepCorrection(viewer, key === "y" || event.shiftKey ? "redo" : "undo");
    return true;
  }
  if (event.target.matches("button, input, select") && key !== "escape") return false;
  const act = {
    b: () => setBrush(viewer, { erase: false }),
    e: () => setBrush(viewer, { erase: true }),
    "[": () => setBrush(viewer, { size: viewer.brush.size / BRUSH.step }),
    "]": () => setBrush(viewer, { size: viewer.brush.size * BRUSH.step }),
    r: () => setBrush(viewer, { organ: 0 }),
    l: () => setBrush(viewer, { organ: 1 }),
    h: () => setBrush(viewer, { organ: 2 }),
    enter: () => finishCorrection(viewer),
    escape: () => leaveCorrection(viewer),
  }[key];
  act?.();
  return Boolean(act);
}

// One step of a stroke; from and to in the radiograph's pixels.
function brushTo(viewer, from, to) {
  const { organ, erase, size } = viewer.brush;
  const radius = (size * devicePixelRatio) / 2 / viewer.place.scale;
  viewer.correcting.paint(organ, from, to, radius, erase ? 0 : 1);
}

function drawCorrection(viewer) {
  const { context, place, brushAt } = viewer;
  viewer.correcting.draw(context, place);
  if (!brushAt || viewer.tool !== "draw") return;
  context.setTransform(1, 0, 0, 1, 0, 0);
  const circle = new Path2D();
  circle.arc(...brushAt, (viewer.brush.size * devicePixelRatio) / 2, 0, 2 * Math.PI);
  strokeTwice(context, () => context.stroke(circle), devicePixelRatio, ORGAN_COLOURS[ORGANS[viewer.brush.organ]]);
}
