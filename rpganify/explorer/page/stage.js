// The large image, or two of them side by side.

import { getImage, knownImage } from "./server.js";
import { put, resize, shownSize, stretch } from "./pictures.js";
import { format } from "./store.js";

export class Stage {
  /**
   * @param store the page's state
   * @param model what /api/model says
   * @param place the element that holds the frames
   * @param preview canvas of a block's picture, or null: `(bucket, block) => canvas`
   * @param fail told of errors, and of null once all is well
   */
  constructor(store, model, place, preview, fail) {
    Object.assign(this, { store, model, place, preview, fail });
    this.frames = ["A", "B"].map((letter, slot) => this.#build(letter, slot));
    place.append(...this.frames.map((frame) => frame.box));
    new ResizeObserver(() => this.#fit()).observe(place);
  }

  show() {
    const { store, place } = this;
    place.classList.toggle("two", store.isComparing);
    this.frames.forEach((frame, slot) => {
      const path = store.paths[slot];
      frame.box.hidden = !path;
      frame.box.classList.toggle("active", slot === store.active);
      frame.button.setAttribute("aria-pressed", slot === store.active);
      if (path) this.#fill(frame, path, slot === store.active);
    });
    this.#fit();
  }

  async #fill(frame, path, isActive) {
    const { values } = this.store;
    const shown = format(path);
    const wanted = `${shown} ${JSON.stringify(values)}`;
    frame.text.textContent = shown;
    if (frame.wanted === wanted) return;
    const before = frame.path;
    Object.assign(frame, { wanted, path });
    frame.job?.abort();
    const { canvas } = frame;
    canvas.setAttribute("aria-label", `Image of path ${shown}`);
    const known = knownImage(path, values);
    if (known) return this.#finish(frame, known, shown);
    this.#guess(frame, before, path, isActive);
    const job = (frame.job = new AbortController());
    try {
      const bitmap = await getImage(path, values, job.signal);
      if (frame.wanted === wanted) this.#finish(frame, bitmap, shown);
    } catch (error) {
      if (error.name !== "AbortError") frame.wanted = null, this.fail(error);
    }
  }

  #finish(frame, bitmap, shown) {
    put(frame.canvas, bitmap);
    frame.canvas.dataset.path = shown;
    frame.canvas.dataset.preview = shown;
    this.fail(null);
  }

  /** Where one bucket changed and its row is painted, the block's picture stands in until the image is here. */
  #guess(frame, before, path, isActive) {
    if (!before || !isActive) return;
    const changed = path.flatMap((block, i) => (block === before[i] ? [] : [i]));
    if (changed.length !== 1) return;
    const picture = this.preview(changed[0], path[changed[0]]);
    if (!picture) return;
    stretch(frame.canvas, picture, this.model.image.width, this.model.image.height);
    frame.canvas.dataset.preview = format(path);
  }

  #fit() {
    const isPair = this.store.isComparing;
    const gap = 12;
    const room = (this.place.clientWidth - (isPair ? gap : 0)) / (isPair ? 2 : 1) - 18;
    const isNarrow = window.matchMedia("(max-width: 59.99rem)").matches;
    const tallest = isNarrow ? Math.min(window.innerHeight * 0.34, 300) : Math.min(window.innerHeight * 0.55, 420);
    const size = shownSize(this.model.image.width, this.model.image.height, Math.max(room, 32), tallest);
    for (const frame of this.frames) resize(frame.canvas, size);
  }

  #build(letter, slot) {
    const box = document.createElement("div");
    box.className = "frame";
    box.dataset.slot = letter;
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: this.model.image.width, height: this.model.image.height });
    canvas.setAttribute("role", "img");
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "caption quiet", title: `Change ${letter} (${letter})` });
    const badge = Object.assign(document.createElement("span"), { className: "badge", textContent: letter });
    const text = Object.assign(document.createElement("span"), { className: "path" });
    button.append(badge, text);
    box.append(canvas, button);
    box.addEventListener("click", () => this.store.activate(slot));
    return { box, button, canvas, text, wanted: null, path: null };
  }
}
