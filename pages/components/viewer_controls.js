// The viewer's buttons, sliders, mouse and keyboard.

const WINDOW_PER_PIXEL = 0.2; // per cent of the display range for one CSS pixel of a drag

function bindControls(viewer) {
  const actions = {
    "zoom-in": () => viewer.zoomBy(1.25),
    "zoom-out": () => viewer.zoomBy(0.8),
    fit: () => viewer.fit(),
    actual: () => viewer.actual(),
    invert: () => viewer.invert(),
    reset: () => viewer.reset(),
    help: () => viewer.toggleHelp(),
    hide: () => viewer.hideLayers(),
  };
  for (const button of viewer.all("[data-action]")) button.onclick = actions[button.dataset.action];
  for (const button of viewer.all("[data-tool]")) button.onclick = () => viewer.useTool(button.dataset.tool);
  for (const input of viewer.all("[data-window]")) {
    input.onchange = () => viewer.setWindow({ [input.dataset.window]: input.valueAsNumber });
  }
  viewer.one("[data-preset]").onchange = ({ target }) => viewer.setWindow(viewer.header.presets[target.value] ?? {});
  for (const layer of viewer.all("[data-layer]")) {
    const name = layer.dataset.layer;
    const style = layer.querySelector("[data-style]");
    const opacity = layer.querySelector("[data-opacity]");
    const swatch = layer.querySelector(".swatch");
    if (swatch) swatch.style.background = ORGAN_COLOURS[name];
    if (opacity) opacity.oninput = () => viewer.setLayer(name, { opacity: opacity.valueAsNumber / 100 });
    if (style) {
      style.onchange = () =>
        viewer.setLayer(name, { style: style.type === "checkbox" ? (style.checked ? "on" : "off") : style.value });
    }
  }
  viewer.root.onkeydown = (event) => pressed(viewer, event);
  viewer.root.onkeyup = (event) => event.key === " " && viewer.setSpace(false);
}

// Keys act anywhere in the viewer and the findings panel but where a control needs them itself.
function pressed(viewer, event) {
  if (correctionKey(viewer, event)) {
    event.preventDefault();
    event.stopPropagation();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const onCanvas = event.target === viewer.canvas;
  if (event.key === "Escape" && !viewer.one(".help").hidden) viewer.toggleHelp();
  else if (event.key === " " && onCanvas) viewer.setSpace(true);
  else if (!onCanvas && event.target.matches("select, input:not([type=checkbox])")) return;
  else {
    const action = actionOfKey(event);
    if (!action) return;
    action(viewer);
  }
  event.preventDefault();
  event.stopPropagation();
}

function bindPointer(viewer) {
  const { canvas } = viewer;
  const at = (event) => {
    const { left, top } = canvas.getBoundingClientRect();
    return [(event.clientX - left) * devicePixelRatio, (event.clientY - top) * devicePixelRatio];
  };
  canvas.oncontextmenu = (event) => event.preventDefault();
  canvas.onwheel = (event) => {
    event.preventDefault();
    viewer.zoomBy(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0015)), ...at(event));
  };
  canvas.onpointerdown = (event) => {
    const tool = toolOfButton(viewer, event.button);
    if (!tool) return;
    event.preventDefault(); // no middle-button scrolling; so focus is taken by hand
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    canvas.classList.toggle("dragging", tool === "pan");
    viewer.drag = { tool, last: at(event), start: viewer.place.fromScreen(...at(event)) };
    if (tool === "draw") {
      viewer.correcting.begin(viewer.brush.organ);
      dragTo(viewer, at(event));
    }
  };
  canvas.onpointermove = (event) => {
    const now = at(event);
    viewer.brushAt = viewer.correcting ? now : null;
    if (viewer.correcting && !viewer.drag) viewer.changed();
    if (viewer.drag) dragTo(viewer, now);
    viewer.showCursor(...viewer.place.fromScreen(...now));
  };
  canvas.onpointerup = canvas.onpointercancel = () => {
    if (viewer.drag?.tool === "draw") {
      viewer.correcting?.end();
      showCorrection(viewer);
    }
    if (viewer.dragged) viewer.remembered.rulers.push(viewer.dragged);
    viewer.drag = viewer.dragged = null;
    canvas.classList.remove("dragging");
    viewer.changed();
  };
  canvas.onpointerleave = () => {
    viewer.one("[data-cursor]").textContent = "";
    viewer.brushAt = null;
    viewer.changed();
  };
  viewer.setSpace = (held) => (viewer.space = held);
  canvas.onblur = () => (viewer.space = false);
}

function toolOfButton(viewer, button) {
  if (button === 1) return "pan";
  if (button === 2) return "window";
  return button === 0 ? (viewer.space ? "pan" : viewer.tool) : null;
}

function dragTo(viewer, now) {
  const { tool, last, start } = viewer.drag;
  const [dx, dy] = [now[0] - last[0], now[1] - last[1]];
  viewer.drag.last = now;
  if (tool === "pan") viewer.place.pan(dx, dy);
  if (tool === "window") {
    const step = WINDOW_PER_PIXEL / devicePixelRatio;
    viewer.setWindow({ width: viewer.window.width + dx * step, centre: viewer.window.centre + dy * step });
  }
  if (tool === "draw") brushTo(viewer, viewer.place.fromScreen(...last), viewer.place.fromScreen(...now));
  if (tool === "measure") {
    const [from, to] = [viewer.place.toScreen(...start), now];
    const far = Math.hypot(to[0] - from[0], to[1] - from[1]) > MINIMUM_RULER * devicePixelRatio;
    viewer.dragged = far ? [...start, ...viewer.place.fromScreen(...now)] : null;
  }
  viewer.changed();
}

// Bring every control to what the viewer holds.
function showControls(viewer) {
  for (const button of viewer.all("[data-tool]")) button.ariaPressed = String(button.dataset.tool === viewer.tool);
  viewer.canvas.dataset.tool = viewer.tool;
  viewer.one("[data-action=invert]").ariaPressed = String(viewer.window.invert);
  viewer.one("[data-action=hide]").ariaPressed = String(viewer.layers.hidden);
  for (const layer of viewer.all("[data-layer]")) showLayer(viewer, layer);
  showWindow(viewer);
}

// A layer that this study does not have cannot be used.
function showLayer(viewer, layer) {
  const name = layer.dataset.layer;
  const { style, opacity } = viewer.layers[name];
  const { contours, heats, ratio } = viewer.header;
  const there = { heat: Object.keys(heats).length > 0, ratio: ratio !== null }[name] ?? Boolean(contours[name]?.length);
  layer.classList.toggle("absent", !there);
  for (const control of layer.querySelectorAll("select, input")) control.disabled = !there;
  const choice = layer.querySelector("[data-style]");
  if (choice?.type === "checkbox") choice.checked = style !== "off";
  else if (choice) choice.value = style;
  const slider = layer.querySelector("[data-opacity]");
  if (slider) slider.value = String(Math.round(100 * opacity));
}

function showWindow(viewer) {
  const { centre, width } = viewer.window;
  viewer.one("[data-window=centre]").value = centre.toFixed(0);
  viewer.one("[data-window=width]").value = width.toFixed(0);
  const preset = viewer.header.presets.findIndex((one) => one.centre === centre && one.width === width);
  viewer.one("[data-preset]").value = preset === -1 ? "own" : String(preset);
}

function fillPresets(viewer) {
  const options = viewer.header.presets.map((one, index) => {
    const option = new Option(one.name, String(index));
    option.title = one.meaning;
    return option;
  });
  const own = new Option("Own window", "own");
  own.disabled = true;
  viewer.one("[data-preset]").replaceChildren(...options, own);
}

function drawColourBar(canvas) {
  const context = canvas.getContext("2d");
  for (let column = 0; column < canvas.width; column++) {
    context.fillStyle = `rgb(${heatColour(column / (canvas.width - 1)).join(" ")})`;
    context.fillRect(column, 0, 1, 1);
  }
}
