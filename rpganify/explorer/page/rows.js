// A row per bucket, a button per block. Pictures come lazily: what can be seen first, a few blocks at a time.

import { fetchTiles, knownTiles, rowKey } from "./server.js";
import { difference, put, resize, shownSize } from "./pictures.js";

const TILE = 60; // CSS pixels, about
const PART_MS = 60; // what one request for pictures may take, so that a click's image never waits long behind it
const CALM_MS = 40; // after a change, before rows are painted anew: keys that are held down ask for images only

const LOCKS = { open: "M7 11V7a5 5 0 0 1 9.6-2", shut: "M7 11V7a5 5 0 0 1 10 0v4" };

/** Whether at least a part of a button can be seen in its list without scrolling that. */
function isInSight(button, list, part = 1) {
  const fits = (from, length, seen, room) => Math.min(from + length, seen + room) - Math.max(from, seen) >= part * length;
  return fits(button.offsetLeft, button.offsetWidth, list.scrollLeft, list.clientWidth) && fits(button.offsetTop, button.offsetHeight, list.scrollTop, list.clientHeight);
}

export class Rows {
  /**
   * @param store the page's state
   * @param model what /api/model says
   * @param place the element that holds the rows
   * @param fail told of errors
   */
  constructor(store, model, place, fail) {
    Object.assign(this, { store, model, place, fail });
    this.part = 8;
    this.size = shownSize(model.tile.width, model.tile.height, Math.max(TILE, TILE * Math.min(2, model.tile.width / model.tile.height)) * 1.15);
    this.visible = new Set();
    this.rows = model.buckets.map((bucket, index) => this.#build(bucket, index));
    place.append(...this.rows.map((row) => row.card));
    this.watcher = new IntersectionObserver((entries) => this.#see(entries), { rootMargin: "200px" });
    for (const row of this.rows) this.watcher.observe(row.card);
    place.addEventListener("keydown", (event) => this.#press(event));
  }

  /** Shows the state: which block is chosen, what is locked, and the pictures that are known; fetches the others soon. */
  show() {
    const { store } = this;
    this.rows.forEach((row, bucket) => {
      const [chosen, other] = [store.path[bucket], store.other?.[bucket]];
      row.tiles.forEach((tile, block) => {
        const isChosen = block === chosen;
        tile.button.setAttribute("aria-checked", isChosen);
        tile.button.tabIndex = isChosen ? 0 : -1;
        tile.button.classList.toggle("others", block === other);
        tile.button.dataset.other = block === other ? "AB"[1 - store.active] : "";
      });
      if (row.chosen !== chosen) this.#reveal(row, chosen);
      row.chosen = chosen;
      row.count.textContent = row.tiles.length > 1 ? `block ${chosen} of 0–${row.tiles.length - 1}` : "one block";
      const isLocked = store.locks.has(bucket);
      row.card.classList.toggle("locked", isLocked);
      row.lock.setAttribute("aria-pressed", isLocked);
      row.lock.lastChild.textContent = isLocked ? "Locked" : "Lock";
      row.shackle.setAttribute("d", isLocked ? LOCKS.shut : LOCKS.open);
      this.#paint(row, bucket);
    });
    this.job?.abort();
    this.#fetchSoon();
  }

  /** The canvas that shows what the image would be with a block, if it is up to date. */
  preview(bucket, block) {
    const tile = this.rows[bucket].tiles[block];
    return tile.key === this.#key(bucket) ? tile.canvas : null;
  }

  focus(bucket) { this.rows[bucket]?.tiles[this.store.path[bucket]].button.focus(); }

  /** The bucket that has the keyboard or, failing that, the mouse. */
  get current() {
    const of = (element) => this.rows.findIndex((row) => row.card.contains(element));
    const focused = of(document.activeElement);
    return focused >= 0 ? focused : of(this.place.querySelector(".bucket:hover"));
  }

  #key(bucket) { return rowKey(this.store.path, bucket, this.store.values); }

  #paint(row, bucket) {
    const known = knownTiles(this.store.path, bucket, this.store.values);
    const key = this.#key(bucket);
    row.tiles.forEach((tile, block) => {
      const isShown = tile.key === key; // also after a change that was taken back before its pictures came
      const picture = isShown ? undefined : known.get(block);
      tile.button.classList.toggle("stale", !isShown && !picture);
      if (!picture) return;
      put(tile.canvas, picture.strip, picture.left, this.model.tile.width);
      resize(tile.canvas, this.size);
      tile.button.classList.add("painted");
      tile.key = key;
    });
    this.#measure(row, known);
  }

  #measure(row, known) {
    const isWhole = known.size === row.tiles.length && row.tiles.length > 1;
    row.moves.hidden = row.tiles.length < 2;
    row.moves.classList.toggle("stale", !isWhole);
    if (!isWhole) return;
    const now = row.tiles[row.chosen].canvas;
    const others = row.tiles.filter((_, block) => block !== row.chosen);
    const moved = others.reduce((sum, tile) => sum + difference(now, tile.canvas), 0) / others.length;
    row.moved = moved;
    const most = Math.max(...this.rows.map((one) => one.moved)) || 1;
    for (const one of this.rows) one.bar.style.width = `${(100 * one.moved) / most}%`;
    row.number.textContent = `moves ${moved < 0.0995 ? (100 * moved).toFixed(1) : Math.round(100 * moved)} %`;
  }

  async #fetchAll() {
    const job = (this.job = new AbortController());
    const { path, values } = this.store;
    try {
      const seen = [...this.rows.keys()].filter((bucket) => this.visible.has(bucket));
      for (const [bucket, isAll] of [...seen.map((one) => [one, false]), ...seen.map((one) => [one, true])]) {
        const row = this.rows[bucket];
        const isDue = (tile, block) => !knownTiles(path, bucket, values).has(block) && (isAll || isInSight(tile.button, row.list, 0.5));
        const missing = () => row.tiles.findIndex(isDue);
        for (let first = missing(); first >= 0; first = missing()) {
          const count = Math.min(this.part, row.tiles.length - first);
          const start = performance.now();
          await fetchTiles(path, bucket, first, count, values, this.model.tile, job.signal);
          const each = (performance.now() - start) / count;
          this.part = Math.max(1, Math.min(this.model.maxTiles, Math.round(PART_MS / each), 2 * this.part));
          if (job.signal.aborted) return;
          this.#paint(row, bucket);
        }
      }
    } catch (error) {
      if (error.name !== "AbortError") this.fail(error);
    }
  }

  #see(entries) {
    for (const entry of entries) {
      const bucket = this.rows.findIndex((row) => row.card === entry.target);
      if (entry.isIntersecting) this.visible.add(bucket);
      else this.visible.delete(bucket);
    }
    this.#fetchSoon();
  }

  #fetchSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { this.job?.abort(); this.#fetchAll(); }, CALM_MS);
  }

  /** Scrolls a row, and nothing else, until a block can be seen. */
  #reveal(row, block) {
    const { button } = row.tiles[block];
    const { list } = row;
    if (isInSight(button, list)) return;
    list.scrollLeft = button.offsetLeft - (list.clientWidth - button.offsetWidth) / 2;
    list.scrollTop = button.offsetTop - (list.clientHeight - button.offsetHeight) / 2;
  }

  #press(event) {
    const button = event.target.closest(".block");
    if (!button || event.ctrlKey || event.metaKey || event.altKey) return;
    const bucket = this.rows.findIndex((row) => row.list.contains(button));
    const { length } = this.rows[bucket].tiles;
    const block = Number(button.dataset.block);
    const to = { ArrowRight: (block + 1) % length, ArrowLeft: (block + length - 1) % length, Home: 0, End: length - 1 }[event.key];
    const row = { ArrowDown: bucket + 1, ArrowUp: bucket - 1 }[event.key];
    if (to === undefined && row === undefined) return;
    event.preventDefault();
    if (to !== undefined) this.store.setBlock(bucket, to);
    this.focus(row ?? bucket);
  }

  #build(bucket, index) {
    const card = document.createElement("section");
    card.className = "bucket";
    card.innerHTML = `
      <div class="bucket-head">
        <h2><span class="ordinal"></span><span class="name"></span></h2>
        <span class="count muted"></span>
        <span class="grow"></span>
        <span class="moves stale" title="Mean difference of the other images of this row from the present one, over all pixels, in per cent of the range from black to white. The bar is relative to the bucket that moves most"><span class="meter"><span></span></span><span class="number"></span></span>
        <button type="button" class="lock quiet"><svg viewBox="0 0 24 24" aria-hidden="true"><rect x="4" y="11" width="16" height="10" rx="2"/><path fill="none"/></svg><span></span></button>
      </div>
      <div class="blocks" role="radiogroup"></div>`;
    const find = (selector) => card.querySelector(selector);
    find(".ordinal").textContent = index + 1;
    find(".name").textContent = bucket.name;
    find("h2").title = `${bucket.layers.join(", ")}: ${bucket.numParameters.toLocaleString("en")} parameters per block`;
    const [list, lock] = [find(".blocks"), find(".lock")];
    list.setAttribute("aria-label", `Blocks of bucket ${index + 1}, ${bucket.name}`);
    lock.title = "Drawing a path keeps this bucket’s block (L)";
    lock.setAttribute("aria-label", `Lock bucket ${index + 1}`);
    lock.hidden = bucket.numBlocks < 2;
    lock.addEventListener("click", () => this.store.toggleLock(index));
    list.addEventListener("scroll", () => this.#fetchSoon(), { passive: true });
    const tiles = Array.from({ length: bucket.numBlocks }, (_, block) => this.#tile(index, block));
    list.append(...tiles.map((tile) => tile.button));
    list.addEventListener("click", (event) => {
      const button = event.target.closest(".block");
      if (button) this.store.setBlock(index, Number(button.dataset.block));
    });
    return {
      card, list, lock, tiles, chosen: null, moved: 0, count: find(".count"), moves: find(".moves"), bar: find(".meter span"),
      number: find(".number"), shackle: find(".lock path"),
    };
  }

  #tile(bucket, block) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "block" });
    button.dataset.block = block;
    button.setAttribute("role", "radio");
    button.setAttribute("aria-label", `Block ${block}`);
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: this.model.tile.width, height: this.model.tile.height });
    resize(canvas, this.size);
    const number = document.createElement("span");
    number.textContent = block;
    button.append(canvas, number);
    return { button, canvas, key: null };
  }
}
