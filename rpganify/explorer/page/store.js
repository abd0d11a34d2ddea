// The page's state: one path or two, locks, values of further inputs. No DOM; tells its listeners what changed.

const HISTORY = 500;

export const format = (path) => path.join("-");
export const isSame = (one, other) => one.length === other.length && one.every((block, i) => block === other[i]);

/** The path that a text writes, or a sentence on why it is none. */
export function parse(text, buckets) {
  const parts = text.trim().split("-");
  if (parts.length !== buckets.length || !parts.every((part) => /^\d+$/.test(part))) {
    return { error: `A path of this model is ${buckets.length} numbers joined by “-”, up to ${format(buckets.map((b) => b.numBlocks - 1))}.` };
  }
  const path = parts.map(Number);
  const wrong = path.findIndex((block, i) => block >= buckets[i].numBlocks);
  if (wrong >= 0) {
    return { error: `Bucket ${wrong + 1} (${buckets[wrong].name}) has blocks 0 to ${buckets[wrong].numBlocks - 1}; there is no block ${parts[wrong]}.` };
  }
  return { path };
}

export class Store {
  /** @param model what /api/model says */
  constructor(model) {
    this.buckets = model.buckets;
    this.paths = [model.start, null]; // A and, while comparing, B
    this.active = 0;
    this.locks = new Set();
    this.values = Object.fromEntries(model.conditions.filter((c) => c.kind !== "fixed").map((c) => [c.name, JSON.stringify(c.value)]));
    this.past = [];
    this.future = [];
    this.listeners = [];
    this.lastB = null;
  }

  get path() { return this.paths[this.active]; }
  get other() { return this.paths[1 - this.active]; }
  get isComparing() { return this.paths[1] !== null; }

  onChange(listener) { this.listeners.push(listener); }
  tell() { for (const listener of this.listeners) listener(); }

  /** Changes paths and which is active; what was can be had again by undo. */
  change(paths, active = this.active) {
    const isEqual = paths.every((path, i) => path === this.paths[i] || (path && this.paths[i] && isSame(path, this.paths[i])));
    if (isEqual && active === this.active) return;
    this.past.push({ paths: this.paths, active: this.active });
    if (this.past.length > HISTORY) this.past.shift();
    this.future = [];
    Object.assign(this, { paths, active });
    this.tell();
  }

  setPath(path) { this.change(this.active === 0 ? [path, this.paths[1]] : [this.paths[0], path]); }

  setBlock(bucket, block) { this.setPath(this.path.with(bucket, block)); }

  /** A random path that keeps the blocks of locked buckets; another one than now if there is another. */
  drawn() {
    const free = this.buckets.map((bucket, i) => !this.locks.has(i) && bucket.numBlocks > 1);
    let path = this.path;
    while (free.includes(true) && isSame(path, this.path)) {
      path = this.path.map((block, i) => (free[i] ? Math.floor(Math.random() * this.buckets[i].numBlocks) : block));
    }
    return path;
  }

  draw() { this.setPath(this.drawn()); }

  toggleLock(bucket) {
    if (!this.locks.delete(bucket)) this.locks.add(bucket);
    this.tell();
  }

  toggleComparing() {
    if (this.isComparing) {
      this.lastB = this.other;
      this.change([this.path, null], 0);
    } else {
      this.change([this.paths[0], this.lastB ?? this.drawn()], 1);
    }
  }

  activate(slot) { if (this.paths[slot]) this.change(this.paths, slot); }
  swap() { if (this.isComparing) this.change([this.paths[1], this.paths[0]], this.active); }
  makeEqual() { if (this.isComparing) this.setPath(this.other); }

  setValue(name, text) {
    if (this.values[name] === text) return;
    this.values[name] = text;
    this.tell();
  }

  undo() { this.#travel(this.past, this.future); }
  redo() { this.#travel(this.future, this.past); }

  #travel(from, to) {
    if (!from.length) return;
    to.push({ paths: this.paths, active: this.active });
    Object.assign(this, from.pop());
    this.tell();
  }

  /** What the address keeps, so that a reload shows the same. */
  toHash() {
    const told = new URLSearchParams({ path: format(this.paths[0]) });
    if (this.isComparing) told.set("with", format(this.paths[1]));
    if (this.active) told.set("change", "b");
    if (this.locks.size) told.set("locks", [...this.locks].map((i) => i + 1).sort((a, b) => a - b).join(" "));
    for (const [name, text] of Object.entries(this.values)) told.append("condition", `${name}=${text}`);
    return `#${told}`;
  }

  /** Takes over what an address kept, as far as it fits this model. */
  readHash(hash) {
    const told = new URLSearchParams(hash.slice(1));
    const [a, b] = ["path", "with"].map((name) => parse(told.get(name) ?? "", this.buckets).path);
    if (!a) return;
    this.paths = [a, b ?? null];
    this.active = b && told.get("change") === "b" ? 1 : 0;
    const locks = (told.get("locks") ?? "").split(" ").map((text) => Number(text) - 1);
    this.locks = new Set(locks.filter((i) => i >= 0 && i < this.buckets.length));
    for (const text of told.getAll("condition")) {
      const name = text.slice(0, text.indexOf("="));
      if (name in this.values) this.values[name] = text.slice(name.length + 1);
    }
  }
}
