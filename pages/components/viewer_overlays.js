// Everything drawn over the radiograph. Lines and letters keep their size on the screen whatever the zoom.

const MINIMUM_RULER = 3; // a shorter drag, in CSS pixels, is a click

class Overlays {
  constructor(picture, fontFamily) {
    this.picture = picture;
    this.fontFamily = fontFamily;
    this.header = picture.header;
    this.paths = {};
    for (const [organ, outlines] of Object.entries(this.header.contours)) this.paths[organ] = outlinePath(outlines);
    this.heatCanvases = {};
  }

  draw(context, place, layers, chosen, rulers) {
    if (!layers.hidden) {
      this.heat(context, place, chosen, layers.heat.opacity);
      for (const organ of ["right_lung", "left_lung", "heart"]) this.organ(context, place, organ, layers[organ]);
      if (layers.ratio.style !== "off") this.ratio(context, place);
    }
    for (const ruler of rulers) this.ruler(context, place, ruler);
    this.scaleBar(context, place);
    if (this.header.sides) this.sides(context, place, this.header.sides);
  }

  heat(context, place, chosen, opacity) {
    const heat = this.picture.heats[chosen];
    if (!heat) return;
    this.heatCanvases[chosen] ??= heatCanvas(heat, this.header.width, this.header.height);
    context.save();
    place.toPicture(context);
    context.globalAlpha = opacity;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.heatCanvases[chosen], 0, 0, this.header.width, this.header.height);
    context.restore();
  }

  organ(context, place, organ, { style, opacity }) {
    const path = this.paths[organ];
    if (!path || style === "off") return;
    context.save();
    place.toPicture(context);
    context.globalAlpha = opacity;
    if (style === "fill") {
      context.globalAlpha = opacity / 4; // a fill as strong as its outline would hide the lung
      context.fillStyle = ORGAN_COLOURS[organ];
      context.fill(path, "evenodd");
    } else {
      const unit = devicePixelRatio / place.scale;
      strokeTwice(context, () => context.stroke(path), unit, ORGAN_COLOURS[organ]);
    }
    context.restore();
  }

  ratio(context, place) {
    const ratio = this.header.ratio;
    if (!ratio) return;
    const white = "#ffffff";
    this.measure(context, place, ratio.thorax.line, `Thorax ${ratio.thorax.text}`, white);
    this.measure(context, place, ratio.heart.line, `Heart ${ratio.heart.text}, ratio ${ratio.value}`, ORGAN_COLOURS.heart);
  }

  ruler(context, place, [x0, y0, x1, y1]) {
    this.measure(context, place, [x0, y0, x1, y1], lengthText(this.header.spacing, x1 - x0, y1 - y0), "#ffe680");
  }

  // A line with crossbars at its ends and a label under its middle.
  measure(context, place, [x0, y0, x1, y1], text, colour) {
    const [ax, ay] = place.toScreen(x0, y0);
    const [bx, by] = place.toScreen(x1, y1);
    const length = Math.hypot(bx - ax, by - ay) || 1;
    const [ux, uy] = [(-(by - ay) / length) * 6 * devicePixelRatio, ((bx - ax) / length) * 6 * devicePixelRatio];
    const path = new Path2D();
    path.moveTo(ax, ay);
    path.lineTo(bx, by);
    for (const [x, y] of [[ax, ay], [bx, by]]) {
      path.moveTo(x - ux, y - uy);
      path.lineTo(x + ux, y + uy);
    }
    strokeTwice(context, () => context.stroke(path), devicePixelRatio, colour);
    this.label(context, place, text, (ax + bx) / 2, (ay + by) / 2 + 16 * devicePixelRatio, colour);
  }

  // 5 cm or 10 cm at the foot of the screen, where the file says how large a pixel is.
  scaleBar(context, place) {
    const spacing = this.header.spacing;
    if (!spacing) return;
    const perMillimetre = place.scale / spacing.column_mm;
    const millimetres = [100, 50, 20, 10, 5, 2, 1].find((one) => one * perMillimetre < place.width / 4) ?? 1;
    const half = (millimetres * perMillimetre) / 2;
    const [x, y] = [place.width / 2, place.height - 27 * devicePixelRatio];
    const path = new Path2D();
    path.moveTo(x - half, y - 4 * devicePixelRatio);
    path.lineTo(x - half, y);
    path.lineTo(x + half, y);
    path.lineTo(x + half, y - 4 * devicePixelRatio);
    strokeTwice(context, () => context.stroke(path), devicePixelRatio, "#ffffff");
    const length = millimetres >= 10 ? `${millimetres / 10} cm` : `${millimetres} mm`;
    const where = spacing.source === "ImagerPixelSpacing" ? " at the detector" : "";
    this.label(context, place, length + where, x, y + 13 * devicePixelRatio, "#ffffff");
  }

  // The patient's right is on the picture's left: pixels always come in standard orientation.
  sides(context, place, [onTheLeft, onTheRight]) {
    const [left, top] = place.toScreen(0, 0);
    const [right, bottom] = place.toScreen(this.header.width, this.header.height);
    const inset = 18 * devicePixelRatio;
    const y = Math.min(Math.max((Math.max(top, 0) + Math.min(bottom, place.height)) / 2, inset), place.height - inset);
    this.label(context, place, onTheLeft, Math.max(left, 0) + inset, y, "#ffffff", 22);
    this.label(context, place, onTheRight, Math.min(right, place.width) - inset, y, "#ffffff", 22);
  }

  // Text on a dark plate, kept inside the screen. size: in CSS pixels.
  label(context, place, text, x, y, colour, size = 14) {
    context.font = `600 ${size * devicePixelRatio}px ${this.fontFamily}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const half = context.measureText(text).width / 2 + 5 * devicePixelRatio;
    const tall = 0.72 * size * devicePixelRatio;
    const atX = Math.min(Math.max(x, half), place.width - half);
    const atY = Math.min(Math.max(y, tall), place.height - tall);
    context.fillStyle = "rgba(0, 0, 0, 0.62)";
    context.fillRect(atX - half, atY - tall, 2 * half, 2 * tall);
    context.fillStyle = colour;
    context.fillText(text, atX, atY);
  }
}

// outlines: lists of x, y, x, y ... of pixel centres, so half a pixel from the edges that everything is drawn from.
function outlinePath(outlines) {
  const path = new Path2D();
  for (const outline of outlines) {
    path.moveTo(outline[0] + 0.5, outline[1] + 0.5);
    for (let i = 2; i < outline.length; i += 2) path.lineTo(outline[i] + 0.5, outline[i + 1] + 0.5);
    path.closePath();
  }
  return path;
}

// A line with a dark rim is seen on white bone and on black air alike.
function strokeTwice(context, stroke, unit, colour) {
  context.lineJoin = "round";
  context.lineWidth = 3.6 * unit;
  context.strokeStyle = "rgba(0, 0, 0, 0.6)";
  stroke();
  context.lineWidth = 1.7 * unit;
  context.strokeStyle = colour;
  stroke();
}

// The heat on a finer grid, bilinear between the centres of its cells, then coloured: colours are never mixed.
function heatCanvas({ data, width, height }, pictureWidth, pictureHeight) {
  const canvas = document.createElement("canvas");
  const fine = 384 / Math.max(pictureWidth, pictureHeight);
  canvas.width = Math.max(1, Math.round(pictureWidth * fine));
  canvas.height = Math.max(1, Math.round(pictureHeight * fine));
  const image = new ImageData(canvas.width, canvas.height);
  const colours = heatColours();
  for (let row = 0, to = 0; row < canvas.height; row++) {
    const [upper, lower, down] = between(row, canvas.height, height);
    for (let column = 0; column < canvas.width; column++, to += 4) {
      const [left, right, across] = between(column, canvas.width, width);
      const above = data[upper * width + left] * (1 - across) + data[upper * width + right] * across;
      const below = data[lower * width + left] * (1 - across) + data[lower * width + right] * across;
      const step = Math.round((above * (1 - down) + below * down) / 257);
      for (let channel = 0; channel < 4; channel++) image.data[to + channel] = colours[4 * step + channel];
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// The two cells that the centre of fine pixel i of n lies between, and how far along.
function between(i, n, cells) {
  const at = Math.min(Math.max(((i + 0.5) / n) * cells - 0.5, 0), cells - 1);
  const first = Math.floor(at);
  return [first, Math.min(first + 1, cells - 1), at - first];
}

// A length in the patient, or at the detector, or only in pixels: always saying which.
function lengthText(spacing, columns, rows) {
  if (!spacing) return `${Math.hypot(columns, rows).toFixed(0)} px (pixel spacing unknown)`;
  const millimetres = Math.hypot(columns * spacing.column_mm, rows * spacing.row_mm).toFixed(1);
  if (spacing.source === "PixelSpacing") return `${millimetres} mm (PixelSpacing)`;
  return `${millimetres} mm at the detector (ImagerPixelSpacing)`;
}
