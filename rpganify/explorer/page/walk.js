// The way from path A to path B, one bucket at a time.

import { getImage, getWalk } from "./server.js";
import { put, resize, shownSize } from "./pictures.js";
import { format, isSame } from "./store.js";

const STEP = [60, 84]; // CSS pixels, at least and at most

export class Walk {
  /**
   * @param store the page's state
   * @param model what /api/model says
   * @param fail told of errors
   */
  constructor(store, model, fail) {
    Object.assign(this, { store, model, fail });
    this.section = document.getElementById("walk");
    this.steps = document.getElementById("steps");
    this.note = document.getElementById("walk-note");
    this.section.addEventListener("change", () => this.show());
    document.getElementById("swap").addEventListener("click", () => store.swap());
    document.getElementById("same").addEventListener("click", () => store.makeEqual());
  }

  async show() {
    const { store } = this;
    this.section.hidden = !store.isComparing;
    if (!store.isComparing) return;
    const same = document.getElementById("same");
    same.textContent = `Make ${"AB"[store.active]} like ${"BA"[store.active]}`;
    const order = this.section.querySelector("input:checked").value;
    const [a, b] = store.paths;
    same.disabled = isSame(a, b);
    const wanted = `${format(a)} ${format(b)} ${order} ${JSON.stringify(store.values)}`;
    this.#mark();
    if (wanted === this.wanted) return;
    this.wanted = wanted;
    this.job?.abort();
    const job = (this.job = new AbortController());
    try {
      const steps = await getWalk(a, b, order, job.signal);
      if (job.signal.aborted) return;
      const room = (this.section.clientWidth - 32) / steps.length - 24;
      const size = shownSize(this.model.image.width, this.model.image.height, Math.max(STEP[0], Math.min(room, 2 * STEP[1])), STEP[1] * 1.15);
      const figures = steps.map((step, i) => this.#figure(step, i, steps.length, size));
      this.steps.replaceChildren(...figures.map((figure) => figure.item));
      this.note.textContent = steps.length > 1 ? "" : "Both are the same path: choose another block for one of them, or draw.";
      this.#mark();
      for (const [i, step] of steps.entries()) put(figures[i].canvas, await getImage(step.path, store.values, job.signal));
    } catch (error) {
      if (error.name !== "AbortError") this.fail(error);
    }
  }

  /** Marks the steps that A and B show now. */
  #mark() {
    for (const button of this.steps.querySelectorAll("button")) {
      button.classList.toggle("now", button.dataset.path === format(this.store.path));
    }
  }

  #figure(step, index, count, size) {
    const { buckets } = this.model;
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.path = format(step.path);
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: this.model.image.width, height: this.model.image.height });
    resize(canvas, size);
    const caption = document.createElement("span");
    caption.className = "step";
    const line = (text, className) => caption.append(Object.assign(document.createElement("span"), { textContent: text, className }));
    if (step.bucket === null) {
      line("start", "blocks-changed");
    } else {
      line(`${step.bucket + 1} ${buckets[step.bucket].name}`, "changed");
      line(`${step.block} → ${step.path[step.bucket]}`, "blocks-changed");
    }
    button.append(canvas, caption);
    if (index === 0 || index === count - 1) {
      button.append(Object.assign(document.createElement("span"), { textContent: index ? "B" : "A", className: "badge" }));
    }
    button.title = `Path ${format(step.path)}: take it`;
    button.addEventListener("click", () => this.store.setPath(step.path));
    item.append(button);
    return { item, canvas };
  }
}
