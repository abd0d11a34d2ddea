// Pictures on canvases: small ones enlarged by whole numbers with sharp edges, large ones smoothly shrunk.

/** Draws a picture, or a part of a strip of them, on a canvas of the same size. */
export function put(canvas, bitmap, left = 0, width = bitmap.width) {
  if (canvas.width !== width || canvas.height !== bitmap.height) Object.assign(canvas, { width, height: bitmap.height });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.imageSmoothingEnabled = false;
  pen.drawImage(bitmap, left, 0, width, bitmap.height, 0, 0, width, bitmap.height);
}

/** Lays a small picture over a canvas of another size, as a first impression. */
export function stretch(canvas, source, width, height) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.imageSmoothingEnabled = source.width < width;
  pen.drawImage(source, 0, 0, source.width, source.height, 0, 0, width, height);
}

/** The size in CSS pixels at which a picture is shown: a whole multiple that fits; fitted where that would waste much. */
export function shownSize(width, height, room, tallest = room) {
  const fit = Math.min(room / width, tallest / height);
  const isWhole = fit >= 3 || fit === Math.floor(fit) || Math.max(width, height) <= 64;
  const scale = isWhole ? Math.max(1, Math.floor(fit)) : fit;
  return { width: Math.round(width * scale), height: Math.round(height * scale), isEnlarged: isWhole && scale > 1 };
}

export function resize(canvas, size) {
  canvas.style.width = `${size.width}px`;
  canvas.style.height = `${size.height}px`;
  canvas.classList.toggle("enlarged", size.isEnlarged);
}

/** Mean absolute difference of two canvases of one size, over pixels and channels: 0 to 1. */
export function difference(one, other) {
  const read = (canvas) => canvas.getContext("2d", { willReadFrequently: true }).getImageData(0, 0, canvas.width, canvas.height).data;
  const [a, b] = [read(one), read(other)];
  let sum = 0;
  for (let i = 0; i < a.length; i += 4) sum += Math.abs(a[i] - b[i]) + Math.abs(a[i + 1] - b[i + 1]) + Math.abs(a[i + 2] - b[i + 2]);
  return sum / (a.length * 0.75 * 255);
}
