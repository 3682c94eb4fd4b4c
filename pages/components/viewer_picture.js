// The radiograph in the browser: 16-bit pixels, halved again and again so that any zoom reads about one value for each
// pixel of the screen, and turned grey by a table only where they are seen.

// Share of the screen rendered beyond each of its edges, so that a short pan draws what is already there.
const MARGIN = 0.2;

// bytes: 4 bytes length of the header (little endian), the header (JSON), pixels (uint16), heat maps (uint16).
function headerOf(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  return { header: JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))), end: 4 + length };
}

class Picture {
  constructor(bytes, { header, end }) {
    this.header = header;
    const body = bytes.slice(end).buffer; // a copy, so that 16-bit values start at an even place
    const { width, height } = this.header.stored;
    this.levels = [{ data: new Uint16Array(body, 0, width * height), width, height }];
    while (Math.max(this.levels.at(-1).width, this.levels.at(-1).height) > 256) this.levels.push(halved(this.levels.at(-1)));
    this.heats = {};
    for (const [key, heat] of Object.entries(this.header.heats)) {
      if (heat.place === null) continue;
      this.heats[key] = { ...heat, data: new Uint16Array(body, heat.place, heat.width * heat.height) };
    }
    const { masks } = this.header;
    const bits = masks && new Uint8Array(body, masks.place, (3 * masks.side * masks.side) / 8);
    this.masks = masks && { bits, side: masks.side };
    this.table = new Uint32Array(65536);
    this.canvas = document.createElement("canvas");
    this.drawn = null; // what the canvas holds
  }

  // Value at a place of the picture (columns and rows from its top left edge), 0..1; null outside.
  valueAt(x, y) {
    const { data, width, height } = this.levels[0];
    const column = Math.floor((x / this.header.width) * width);
    const row = Math.floor((y / this.header.height) * height);
    if (column < 0 || row < 0 || column >= width || row >= height) return null;
    return data[row * width + column] / 65535;
  }

  // Draw the part that is seen. place: see Place. window: {centre, width} in per cent, invert.
  draw(context, place, window) {
    const stored = this.header.stored.width / this.header.width; // stored pixels for one pixel of the picture
    const wanted = Math.floor(Math.log2(stored / place.scale));
    const level = Math.min(Math.max(wanted, 0), this.levels.length - 1);
    const perPixel = stored / 2 ** level;
    const seen = this.seen(place, level, perPixel);
    if (seen.right <= seen.left || seen.bottom <= seen.top) return;
    const grey = `${window.centre} ${window.width} ${window.invert}`;
    if (!this.holds(level, grey, seen)) this.render(level, grey, window, seen);
    const { left, top, right, bottom } = this.drawn;
    context.save();
    place.toPicture(context);
    context.beginPath();
    context.rect(0, 0, this.header.width, this.header.height);
    context.clip();
    context.imageSmoothingQuality = "high";
    const [width, height] = [right - left, bottom - top];
    context.drawImage(
      this.canvas, 0, 0, width, height, left / perPixel, top / perPixel, width / perPixel, height / perPixel);
    context.restore();
  }

  // The rectangle of a level that is on the screen, in its pixels.
  seen(place, level, perPixel) {
    const [x0, y0] = place.fromScreen(0, 0);
    const [x1, y1] = place.fromScreen(place.width, place.height);
    const { width, height } = this.levels[level];
    return {
      left: Math.max(0, Math.floor(x0 * perPixel) - 1),
      top: Math.max(0, Math.floor(y0 * perPixel) - 1),
      right: Math.min(width, Math.ceil(x1 * perPixel) + 1),
      bottom: Math.min(height, Math.ceil(y1 * perPixel) + 1),
    };
  }

  holds(level, grey, seen) {
    const drawn = this.drawn;
    return (
      drawn !== null && drawn.level === level && drawn.grey === grey && drawn.left <= seen.left &&
      drawn.top <= seen.top && drawn.right >= seen.right && drawn.bottom >= seen.bottom
    );
  }

  render(level, grey, window, seen) {
    const { data, width, height } = this.levels[level];
    if (this.grey !== grey) this.fillTable(window);
    this.grey = grey;
    const [across, down] = [(seen.right - seen.left) * MARGIN, (seen.bottom - seen.top) * MARGIN];
    const left = Math.max(0, Math.floor(seen.left - across));
    const top = Math.max(0, Math.floor(seen.top - down));
    const right = Math.min(width, Math.ceil(seen.right + across));
    const bottom = Math.min(height, Math.ceil(seen.bottom + down));
    const image = new ImageData(right - left, bottom - top);
    const target = new Uint32Array(image.data.buffer);
    const table = this.table;
    for (let row = top, to = 0; row < bottom; row++) {
      for (let from = row * width + left, end = row * width + right; from < end; from++) target[to++] = table[data[from]];
    }
    if (this.canvas.width < image.width || this.canvas.height < image.height) {
      this.canvas.width = Math.max(this.canvas.width, image.width);
      this.canvas.height = Math.max(this.canvas.height, image.height);
    }
    this.canvas.getContext("2d").putImageData(image, 0, 0);
    this.drawn = { level, grey, left, top, right, bottom };
  }

  // Table from a 16-bit value to an opaque grey (bytes R, G, B, A in memory).
  fillTable({ centre, width, invert }) {
    const low = (65535 * (centre - width / 2)) / 100;
    const gain = 255 / ((65535 * width) / 100);
    for (let value = 0; value < 65536; value++) {
      let grey = Math.min(Math.max(Math.round((value - low) * gain), 0), 255);
      if (invert) grey = 255 - grey;
      this.table[value] = (0xff000000 | (grey << 16) | (grey << 8) | grey) >>> 0;
    }
  }
}

// A level at half the size; each value is the mean of the four it covers.
function halved({ data, width, height }) {
  const half = { width: (width + 1) >> 1, height: (height + 1) >> 1 };
  half.data = new Uint16Array(half.width * half.height);
  for (let row = 0, to = 0; row < half.height; row++) {
    const upper = 2 * row * width;
    const lower = Math.min(2 * row + 1, height - 1) * width;
    for (let column = 0; column < half.width; column++, to++) {
      const left = 2 * column;
      const right = Math.min(left + 1, width - 1);
      half.data[to] = (data[upper + left] + data[upper + right] + data[lower + left] + data[lower + right] + 2) >> 2;
    }
  }
  return half;
}

// Where the picture is on the screen. The screen is measured in device pixels, the picture in its own pixels from its
// top left edge. scale: device pixels for one column; aspect: height of a row over width of a column.
class Place {
  constructor(picture, width, height, view) {
    this.picture = picture;
    this.width = width;
    this.height = height;
    const spacing = picture.spacing;
    this.aspect = spacing ? spacing.row_mm / spacing.column_mm : 1;
    this.fitted = Math.min(width / picture.width, height / (picture.height * this.aspect));
    if (view === null || view.fit) {
      Object.assign(this, { scale: this.fitted, x: picture.width / 2, y: picture.height / 2, fit: true });
    } else {
      Object.assign(this, { scale: view.scale, x: view.x, y: view.y, fit: false });
    }
  }

  get view() {
    return { fit: this.fit, scale: this.scale, x: this.x, y: this.y };
  }

  toScreen(x, y) {
    return [(x - this.x) * this.scale + this.width / 2, (y - this.y) * this.scale * this.aspect + this.height / 2];
  }

  fromScreen(x, y) {
    return [
      (x - this.width / 2) / this.scale + this.x,
      (y - this.height / 2) / (this.scale * this.aspect) + this.y,
    ];
  }

  toPicture(context) {
    const [x, y] = this.toScreen(0, 0);
    context.setTransform(this.scale, 0, 0, this.scale * this.aspect, x, y);
  }

  // Zoom by a factor; what is at (x, y) on the screen stays there.
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const [atX, atY] = this.fromScreen(x, y);
    const smallest = Math.min(this.fitted / 4, 1); // 1:1 is there for a picture smaller than the screen too
    this.scale = Math.min(Math.max(this.scale * factor, smallest), 40);
    this.fit = false;
    const [nowX, nowY] = this.fromScreen(x, y);
    this.pan((nowX - atX) * this.scale, (nowY - atY) * this.scale * this.aspect);
  }

  // Move the picture by device pixels; its middle stays on the screen's side of its own edges.
  pan(dx, dy) {
    this.x = Math.min(Math.max(this.x - dx / this.scale, 0), this.picture.width);
    this.y = Math.min(Math.max(this.y - dy / (this.scale * this.aspect), 0), this.picture.height);
    this.fit = false;
  }
}
