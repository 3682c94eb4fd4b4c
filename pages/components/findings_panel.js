// The findings panel: draws what Python worded, and tells the viewer on the same page which finding is chosen.

const TIP_DELAY = 350; // milliseconds that a pointer rests before its explanation appears

class Panel {
  constructor(root, channel) {
    this.channel = channel;
    this.one = (selector) => root.querySelector(selector);
    this.onChosen = () => this.showChosen();
    channel.addEventListener("chosen", this.onChosen);
  }

  close() {
    this.channel.removeEventListener("chosen", this.onChosen);
    clearTimeout(this.tipTimer);
  }

  show(content) {
    const text = JSON.stringify(content);
    if (this.drawn === text) return;
    this.drawn = text;
    this.content = content;
    this.hideTip();
    this.one(".rows").replaceChildren(...content.rows.map((row, index) => this.row(row, index)));
    this.one(".hint").hidden = content.rows.length === 0;
    const averaged = content.rows.some((row) => row.spread);
    this.one(".hint").textContent =
      "Choose a finding, or press 1 to 6, for its heat map. The bar is the calibrated probability, " +
      "the white tick its operating point, the hatched part the uncertain band. " +
      (averaged ? "The thin line spans the lowest and the highest of the views averaged over. " : "") +
      "A rare finding has a low operating " +
      "point, so it is called present at a low probability. Heat maps are coarse and outline no lesion. Only these " +
      "six are looked for: no pneumothorax, nodule, fracture or tube.";
    this.list("warnings", content.warnings);
    this.list("flags", content.flags);
    this.list("corrections", content.corrections);
    this.figures("measurements", content.measurements);
    this.figures("made", content.made);
    this.one(".made").textContent = content.made_by;
    this.one("[data-part=made] ul").replaceChildren(...content.notes.map((note) => element("li", "", note)));
    this.one("[data-part=made] h4").hidden = content.notes.length === 0;
    this.one("[data-part=made]").hidden = content.made.length + content.notes.length === 0;
    this.showChosen();
  }

  row(row, index) {
    const button = element("button", "row");
    button.type = "button";
    button.dataset.finding = row.key;
    const percent = `${(100 * row.probability).toFixed(0)} %`;
    const range = row.spread ? `, ${row.spread.map((end) => (100 * end).toFixed(0)).join(" to ")} % over its views` : "";
    const head = element("span", "head");
    head.append(element("span", "name", row.name));
    if (row.primary) head.append(element("span", "primary", "most likely"));
    const call = element("span", `call ${row.call}${row.abnormal ? "" : " normal"}`);
    call.append(element("i"), row.call);
    head.append(element("span", "figure", percent), call);
    const heat = element("span", "heat", row.heat);
    if (row.doubt) heat.append(element("span", "doubt", row.doubt));
    button.append(head, meter(row), heat);
    button.setAttribute(
      "aria-label", `${row.name}: ${percent}${range}, ${row.call}${row.primary ? ", the most likely of the six" : ""}`);
    button.setAttribute("aria-keyshortcuts", String(index + 1));
    button.setAttribute("aria-description", row.tip);
    button.onclick = () => chooseFinding(this.channel, this.content.study, row.key);
    button.onkeydown = (event) => this.rowKey(event, index);
    this.explain(button, row.tip);
    return button;
  }

  // Up and down walk the rows. Every other key is the viewer's, so that a click on a row does not silence it.
  rowKey(event, index) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && !event.shiftKey) {
      const last = this.content.rows.length - 1;
      this.one(".rows").children[Math.min(Math.max(index + step, 0), last)].focus();
      event.preventDefault();
    } else {
      this.channel.dispatchEvent(new CustomEvent("key", { detail: event }));
    }
  }

  showChosen() {
    const { chosen } = rememberedStudy(this.channel, this.content.study);
    for (const button of this.one(".rows").children) {
      const pressed = button.dataset.finding === chosen;
      button.setAttribute("aria-pressed", String(pressed));
      button.querySelector(".heat").hidden = !pressed;
    }
  }

  list(part, lines) {
    this.one(`[data-part=${part}]`).hidden = lines.length === 0;
    this.one(`[data-part=${part}] ul`).replaceChildren(...lines.map((line) => element("li", "", line)));
  }

  figures(part, lines) {
    this.one(`[data-part=${part}]`).hidden = lines.length === 0;
    this.one(`[data-part=${part}] dl`).replaceChildren(
      ...lines.map(({ label, value, tip }) => {
        const line = element("div");
        line.append(element("dt", "", label), element("dd", "", value));
        line.tabIndex = 0;
        line.setAttribute("aria-description", tip);
        this.explain(line, tip);
        return line;
      }),
    );
  }

  // Show what a figure means while the pointer rests on it or the keyboard is on it.
  explain(target, text) {
    target.onpointerenter = () => {
      clearTimeout(this.tipTimer);
      this.tipTimer = setTimeout(() => this.showTip(target, text), TIP_DELAY);
    };
    target.onfocus = () => target.matches(":focus-visible") && this.showTip(target, text);
    target.onpointerleave = target.onblur = () => this.hideTip();
  }

  showTip(target, text) {
    const tip = this.one(".tip");
    tip.textContent = text;
    tip.hidden = false;
    const panel = this.one(".panel").getBoundingClientRect();
    const box = target.getBoundingClientRect();
    const below = box.bottom + tip.offsetHeight + 8 < window.innerHeight;
    tip.style.top = `${(below ? box.bottom + 4 : box.top - tip.offsetHeight - 4) - panel.top}px`;
  }

  hideTip() {
    clearTimeout(this.tipTimer);
    this.one(".tip").hidden = true;
  }
}

function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

function meter({ probability, threshold, low, high, spread }) {
  const track = element("span", spread ? "meter averaged" : "meter");
  track.style.display = "block";
  const parts = {
    value: { width: probability },
    band: { left: low, width: high - low },
    tick: { left: threshold },
    ...(spread && { spread: { left: spread[0], width: spread[1] - spread[0] } }),
  };
  for (const [name, places] of Object.entries(parts)) {
    const part = element("span", name);
    for (const [side, share] of Object.entries(places)) part.style[side] = `${100 * share}%`;
    track.append(part);
  }
  return track;
}

export default function ({ data, parentElement }) {
  parentElement.lungsPanel ??= new Panel(parentElement, openChannel(data.channel));
  parentElement.lungsPanel.show(data);
  return () => {
    parentElement.lungsPanel.close();
    delete parentElement.lungsPanel;
  };
}
