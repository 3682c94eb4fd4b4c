// Organ masks drawn by hand: three grids of bytes over the whole picture, strokes, undo and redo, and what is measured.

const MOST_STROKES = 100; // that can be undone

class Drawing {
  // bits: Uint8Array, one bit a place, organ after organ, row by row, most significant first. side: of the grid.
  constructor(bits, side, picture) {
    this.side = side;
    this.picture = picture; // {width, height} of the radiograph
    this.masks = ORGANS.map((_, organ) => unpackedBits(bits, organ * side * side, side * side));
    this.done = [];
    this.undone = [];
    this.canvas = document.createElement("canvas");
    this.canvas.width = this.canvas.height = side;
    this.show();
  }

  begin(organ) {
    this.before = { organ, mask: this.masks[organ].slice() };
  }

  // Fill or clear a line as thick as the brush. Places and radius in the radiograph's pixels.
  paint(organ, [x0, y0], [x1, y1], radius, value) {
    const { side, picture } = this;
    const [wide, tall] = [picture.width / side, picture.height / side]; // a grid place, in the radiograph's pixels
    const mask = this.masks[organ];
    const [left, right] = this.span(Math.min(x0, x1) - radius, Math.max(x0, x1) + radius, wide);
    const [top, bottom] = this.span(Math.min(y0, y1) - radius, Math.max(y0, y1) + radius, tall);
    const [dx, dy] = [x1 - x0, y1 - y0];
    const length = dx * dx + dy * dy || 1;
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        const [x, y] = [(column + 0.5) * wide - x0, (row + 0.5) * tall - y0];
        const along = Math.min(Math.max((x * dx + y * dy) / length, 0), 1);
        if (Math.hypot(x - along * dx, y - along * dy) <= radius) mask[row * side + column] = value;
      }
    }
    this.show();
  }

  span(first, last, step) {
    return [Math.max(0, Math.floor(first / step)), Math.min(this.side - 1, Math.ceil(last / step))];
  }

  end() {
    this.done.push(this.before);
    if (this.done.length > MOST_STROKES) this.done.shift();
    this.undone = [];
  }

  undo() {
    this.swap(this.done, this.undone);
  }

  redo() {
    this.swap(this.undone, this.done);
  }

  swap(from, to) {
    const step = from.pop();
    if (!step) return;
    to.push({ organ: step.organ, mask: this.masks[step.organ] });
    this.masks[step.organ] = step.mask;
    this.show();
  }

  // Cardiothoracic ratio as the library measures it: greatest heart width over greatest inner thorax width.
  ratio() {
    const { side } = this;
    const [right, left, heart] = this.masks;
    let [first, last, widest] = [side, -1, 0];
    for (let row = 0; row < side; row++) {
      let [outerRight, outerLeft] = [-1, -1];
      for (let column = 0, at = row * side; column < side; column++, at++) {
        if (heart[at]) [first, last] = [Math.min(first, column), Math.max(last, column)];
        if (right[at] && outerRight < 0) outerRight = column;
        if (left[at]) outerLeft = column;
      }
      if (outerRight >= 0 && outerLeft > outerRight) widest = Math.max(widest, outerLeft - outerRight + 1);
    }
    return last < 0 || widest === 0 ? null : (last - first + 1) / widest;
  }

  show() {
    const image = new ImageData(this.side, this.side);
    const pixels = new Uint32Array(image.data.buffer);
    ORGANS.forEach((organ, number) => {
      const colour = opaque(ORGAN_COLOURS[organ]);
      const mask = this.masks[number];
      for (let at = 0; at < mask.length; at++) if (mask[at]) pixels[at] = colour;
    });
    this.canvas.getContext("2d").putImageData(image, 0, 0);
  }

  draw(context, place) {
    context.save();
    place.toPicture(context);
    context.globalAlpha = 0.28;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.canvas, 0, 0, this.picture.width, this.picture.height);
    context.restore();
  }

  // As they travel to the server: one bit a place, deflated, base64.
  async packed() {
    const bits = new Uint8Array((ORGANS.length * this.side * this.side) / 8);
    this.masks.forEach((mask, organ) => {
      const start = organ * mask.length;
      for (let at = 0; at < mask.length; at++) if (mask[at]) bits[(start + at) >> 3] |= 0x80 >> ((start + at) & 7);
    });
    const deflated = new Blob([bits]).stream().pipeThrough(new CompressionStream("deflate"));
    const bytes = new Uint8Array(await new Response(deflated).arrayBuffer());
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return btoa(text);
  }
}

function unpackedBits(bits, start, count) {
  const mask = new Uint8Array(count);
  for (let at = 0; at < count; at++) mask[at] = (bits[(start + at) >> 3] >> (7 - ((start + at) & 7))) & 1;
  return mask;
}

// "#rrggbb" as the bytes R, G, B, A in memory.
function opaque(colour) {
  const value = parseInt(colour.slice(1), 16);
  return (0xff000000 | ((value & 0xff) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
}
