// The viewer itself: what it remembers, what it does, and how its controls are joined to that. Streamlit calls the default
// export once for every rerun, with the same parent as long as the component stays on the page.

const FIRST_LAYERS = {
  right_lung: { style: "contour", opacity: 0.9 },
  left_lung: { style: "contour", opacity: 0.9 },
  heart: { style: "contour", opacity: 0.9 },
  heat: { opacity: 0.6 },
  ratio: { style: "off" },
  hidden: false,
};
const ORGANS = ["right_lung", "left_lung", "heart"];

class Viewer {
  constructor(root, channel) {
    this.channel = channel;
    this.layers = channel.layers ??= structuredClone(FIRST_LAYERS);
    this.tool = "pan";
    this.one = (selector) => root.querySelector(selector);
    this.all = (selector) => [...root.querySelectorAll(selector)];
    this.root = this.one(".viewer");
    this.canvas = this.one(".stage > canvas");
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.redraw = this.redraw.bind(this);
    this.onChosen = (event) => event.detail.study === this.study && this.showChosen();
    this.onKey = (event) => pressed(this, event.detail);
    channel.addEventListener("chosen", this.onChosen);
    channel.addEventListener("key", this.onKey);
    acceptDropsAnywhere();
    this.resizing = new ResizeObserver(() => this.resize());
    this.resizing.observe(this.one(".stage"));
    this.watchPixelRatio();
    bindControls(this);
    bindCorrection(this);
    bindPointer(this);
    listKeys(this.one(".help dl"));
    drawColourBar(this.one(".colour-bar canvas"));
  }

  close() {
    leaveLink(this);
    this.channel.removeEventListener("chosen", this.onChosen);
    this.channel.removeEventListener("key", this.onKey);
    this.resizing.disconnect();
    this.pixelRatio.onchange = null;
    cancelAnimationFrame(this.frame);
    this.picture = null;
  }

  // Show a study. The same content again changes nothing, so a rerun costs nothing here.
  show(bytes, parsed) {
    if (this.header?.digest === parsed.header.digest) return;
    const picture = new Picture(bytes, parsed);
    this.header = picture.header;
    const returning = this.study === this.header.study;
    this.study = this.header.study;
    this.quiet = true; // until it is shown, for linked viewers
    joinLink(this, this.header.linked);
    this.picture = picture;
    this.correcting = this.brushAt = null;
    if (this.tool === "draw") this.tool = "pan";
    this.overlays = new Overlays(picture, getComputedStyle(this.root).fontFamily);
    this.remembered = rememberedStudy(this.channel, this.study);
    this.window = this.remembered.window ??= { ...firstWindow(this.header), invert: false };
    this.one("[data-name]").textContent = this.header.label;
    this.canvas.setAttribute("aria-label", `${this.header.label}. Press the question mark for keyboard shortcuts.`);
    fillPresets(this);
    this.place = null;
    this.resize();
    this.showChosen();
    showControls(this);
    showCorrection(this);
    this.quiet = false;
    // Keys work at once, without a click, unless the reader is at work in another control.
    if (!returning && document.activeElement === document.body) this.canvas.focus({ preventScroll: true });
  }

  resize() {
    if (!this.picture) return;
    const { width, height } = this.one(".stage").getBoundingClientRect();
    if (width === 0 || height === 0) return;
    this.canvas.width = Math.round(width * devicePixelRatio);
    this.canvas.height = Math.round(height * devicePixelRatio);
    this.place = new Place(this.header, this.canvas.width, this.canvas.height, this.remembered.view);
    this.redraw();
  }

  // A window dragged to a monitor of another density keeps its size but not its pixels.
  watchPixelRatio() {
    this.pixelRatio = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    this.pixelRatio.onchange = () => {
      this.pixelRatio.onchange = null;
      this.watchPixelRatio();
      this.resize();
    };
  }

  // Ask for a frame; any number of changes before it are drawn at once.
  changed() {
    if (this.place) this.remembered.view = this.place.view;
    tellLinked(this);
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(this.redraw);
  }

  redraw() {
    if (!this.picture || !this.place) return;
    const { context, place } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, place.width, place.height);
    this.picture.draw(context, place, this.window);
    context.setTransform(1, 0, 0, 1, 0, 0);
    if (this.correcting) drawCorrection(this);
    context.setTransform(1, 0, 0, 1, 0, 0);
    const rulers = this.dragged ? [...this.remembered.rulers, this.dragged] : this.remembered.rulers;
    const layers = this.correcting ? { ...this.layers, hidden: true } : this.layers; // what is drawn stands for them
    this.overlays.draw(context, place, layers, this.remembered.chosen, rulers);
    this.showZoom();
  }

  showZoom() {
    const reduced = this.header.reduced ? ` (shown from ${this.header.stored.width} x ${this.header.stored.height})` : "";
    this.one("[data-zoom]").textContent = `Zoom ${(100 * this.place.scale).toFixed(0)} %${reduced}`;
  }

  showCursor(x, y) {
    const value = this.picture.valueAt(x, y);
    this.one("[data-cursor]").textContent =
      value === null ? "" : `Column ${Math.floor(x)}, row ${Math.floor(y)}: ${(100 * value).toFixed(1)} % of white`;
  }

  // Draw the chosen finding's heat, or say why there is none.
  showChosen() {
    const key = this.remembered.chosen;
    const heat = this.header.heats[key];
    const shown = Boolean(heat) && heat.place !== null;
    this.one("[data-colour-bar]").hidden = !shown || this.layers.hidden;
    this.one("[data-suppressed]").hidden = !heat || shown;
    if (shown) this.one("[data-heat-name]").textContent = `${heat.name}: greatest heat in this map ${heat.greatest}`;
    if (heat && !shown) {
      this.one("[data-suppressed]").textContent = `${heat.name} is called absent: its heat map is not shown.`;
    }
    this.one("[data-heat-unit]").textContent = this.header.heat_unit;
    this.say(shown ? `Heat map: ${heat.name}` : heat ? this.one("[data-suppressed]").textContent : "No heat map");
    this.changed();
  }

  say(text) {
    this.one("[role=status]").textContent = text;
  }

  // Actions: one for each control and key.

  panBy(key) {
    const step = PAN_STEP * devicePixelRatio;
    const [dx, dy] = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key];
    this.place.pan(dx * step, dy * step);
    this.changed();
  }

  zoomBy(factor, x, y) {
    this.place.zoom(factor, x, y);
    this.say(`Zoom ${(100 * this.place.scale).toFixed(0)} per cent`);
    this.changed();
  }

  fit() {
    this.place = new Place(this.header, this.canvas.width, this.canvas.height, null);
    this.changed();
  }

  actual() {
    this.zoomBy(1 / this.place.scale);
  }

  windowBy(key) {
    const [across, down] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[
      key.replace("shift+", "")
    ];
    this.setWindow({
      width: this.window.width + across * WINDOW_STEP,
      centre: this.window.centre + down * WINDOW_STEP,
    });
  }

  setWindow({ centre = this.window.centre, width = this.window.width }) {
    if (!Number.isFinite(centre) || !Number.isFinite(width)) return;
    this.window.centre = Math.min(Math.max(centre, -50), 150);
    this.window.width = Math.min(Math.max(width, 1), 200);
    showWindow(this);
    this.changed();
  }

  nextPreset() {
    const presets = this.header.presets;
    const now = presets.findIndex((one) => one.centre === this.window.centre && one.width === this.window.width);
    const next = presets[(now + 1) % presets.length];
    this.setWindow(next);
    this.say(`Window ${next.name}`);
  }

  invert() {
    this.window.invert = !this.window.invert;
    showControls(this);
    this.changed();
  }

  reset() {
    Object.assign(this.window, firstWindow(this.header), { invert: false });
    this.remembered.rulers = [];
    this.useTool("pan");
    this.fit();
    showControls(this);
    this.say("View reset");
  }

  useTool(tool) {
    if (tool === "draw" && !this.correcting) return;
    this.tool = tool;
    showControls(this);
  }

  removeRuler() {
    this.remembered.rulers.pop();
    this.changed();
  }

  setLayer(name, change) {
    Object.assign(this.layers[name], change);
    if (this.layers.hidden) this.hideLayers();
    showControls(this);
    this.changed();
  }

  toggleLayer(name) {
    const layer = this.layers[name];
    const visible = name === "ratio" ? "on" : (layer.last ?? "contour");
    const style = layer.style === "off" ? visible : "off";
    this.setLayer(name, layer.style === "off" ? { style } : { style, last: layer.style });
    this.say(`${name.replace("_", " ")} ${style}`);
  }

  switchFill() {
    const style = ORGANS.some((organ) => this.layers[organ].style === "contour") ? "fill" : "contour";
    for (const organ of ORGANS) if (this.layers[organ].style !== "off") this.setLayer(organ, { style });
  }

  hideLayers() {
    this.layers.hidden = !this.layers.hidden;
    showControls(this);
    this.showChosen();
  }

  chooseByNumber(number) {
    const key = number === 0 ? this.remembered.chosen : Object.keys(this.header.heats)[number - 1];
    if (key) chooseFinding(this.channel, this.study, key);
  }

  toggleHelp() {
    const help = this.one(".help");
    help.hidden = !help.hidden;
    if (help.hidden) this.canvas.focus();
    else help.querySelector("button").focus();
  }
}

function firstWindow(header) {
  const { centre, width } = header.presets[0];
  return { centre, width };
}

export default function ({ data, parentElement, setTriggerValue }) {
  const parsed = headerOf(data);
  parentElement.lungsViewer ??= new Viewer(parentElement, openChannel(parsed.header.channel));
  const viewer = parentElement.lungsViewer;
  viewer.send = setTriggerValue;
  viewer.show(data, parsed);
  return () => {
    viewer.close();
    delete parentElement.lungsViewer;
  };
}
