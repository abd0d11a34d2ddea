// Fields, buttons and keys around the image.

import { imageAddress } from "./server.js";
import { format, parse } from "./store.js";

const find = (id) => document.getElementById(id);

/** A word as a POSIX shell reads it as one. */
export const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`);

export class Controls {
  constructor(store, model, rows) {
    Object.assign(this, { store, model, rows });
    this.#name();
    this.#buildConditions();
    find("path-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const { path, error } = parse(find("path").value, store.buckets);
      find("path-error").textContent = error ?? "";
      find("path").toggleAttribute("aria-invalid", Boolean(error));
      if (path) store.setPath(path), find("path").blur();
    });
    for (const [id, act] of Object.entries(this.#acts())) find(id).addEventListener("click", act);
    document.addEventListener("keydown", (event) => this.#press(event));
    this.#theme(localStorage.getItem("theme"));
  }

  show() {
    const { store, model } = this;
    const path = format(store.path);
    if (document.activeElement !== find("path")) find("path").value = path;
    find("path").removeAttribute("aria-invalid");
    find("path-error").textContent = "";
    find("undo").disabled = !store.past.length;
    find("redo").disabled = !store.future.length;
    find("draw").disabled = model.buckets.every((bucket, i) => store.locks.has(i) || bucket.numBlocks < 2);
    find("compare").setAttribute("aria-pressed", store.isComparing);
    find("status").textContent = `Path ${path}`;
    const conditions = Object.entries(store.values).flatMap(([name, text]) => ["--condition", `${name}=${text}`]);
    const words = [...model.command, "--path", path, ...conditions, "-o", `${path}.png`];
    find("command").textContent = words.map(quoted).join(" ");
    find("save").href = imageAddress(store.path, store.values);
    find("save").download = `${path}.png`;
  }

  #name() {
    const { model } = this;
    find("model").textContent = model.model;
    document.title = `${model.model} · rpganify explorer`;
    const counts = model.buckets.map((bucket) => bucket.numBlocks);
    const blocks = new Set(counts).size === 1 ? `${counts.length} buckets of ${counts[0]} blocks` : `${counts.length} buckets of ${counts.join(", ")} blocks`;
    const facts = `${model.generator}: ${blocks}, ${BigInt(model.cardinality).toLocaleString("en")} paths, ${model.imageShape.join("×")}`;
    find("facts").textContent = model.told ? `${facts}; ${model.told}` : facts;
  }

  #buildConditions() {
    const { model, store } = this;
    find("conditions").append(
      ...model.conditions.map((condition) => {
        const label = document.createElement("label");
        label.append(Object.assign(document.createElement("span"), { textContent: condition.name }));
        const input = document.createElement("input");
        if (condition.kind === "fixed") {
          Object.assign(input, { value: `${condition.shape.join("×")}, as started`, disabled: true });
        } else if (condition.kind === "list") {
          input.value = store.values[condition.name];
        } else {
          Object.assign(input, { type: "number", step: condition.kind === "integer" ? 1 : "any", value: store.values[condition.name] });
          if (condition.numValues) Object.assign(input, { min: 0, max: condition.numValues - 1 });
        }
        const error = Object.assign(document.createElement("span"), { className: "error" });
        input.addEventListener("input", () => {
          error.textContent = input.validationMessage || (input.value.trim() ? "" : "A value is needed.");
          if (!error.textContent) store.setValue(condition.name, input.value.trim());
        });
        const hint = condition.numValues ? `0 to ${condition.numValues - 1}` : "";
        label.append(input, Object.assign(document.createElement("span"), { className: "muted", textContent: hint }), error);
        return label;
      }),
    );
  }

  #acts() {
    const { store } = this;
    return {
      draw: () => store.draw(),
      undo: () => store.undo(),
      redo: () => store.redo(),
      compare: () => store.toggleComparing(),
      copy: () => this.#copy(),
      "help-open": () => find("help").showModal(),
      theme: () => this.#theme(this.#isDark() ? "light" : "dark"),
    };
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(find("command").textContent);
      find("copy").textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(find("command")); // the browser keeps its clipboard: the text is ready for Ctrl-C
      find("copy").textContent = "Selected";
    }
    find("status").textContent = `${find("copy").textContent}: ${find("command").textContent}`;
    setTimeout(() => (find("copy").textContent = "Copy"), 1500);
  }

  #isDark() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  #theme(name) {
    if (name) {
      document.documentElement.dataset.theme = name;
      localStorage.setItem("theme", name);
    }
    find("theme").textContent = this.#isDark() ? "Light" : "Dark";
  }

  #press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=radio]), dialog[open]")) return;
    const { store, rows } = this;
    const keys = {
      r: () => store.draw(),
      z: () => (event.shiftKey ? store.redo() : store.undo()),
      c: () => store.toggleComparing(),
      a: () => store.activate(0),
      b: () => store.activate(1),
      x: () => store.swap(),
      l: () => rows.current >= 0 && store.toggleLock(rows.current),
      "?": () => find("help").showModal(),
    };
    const act = keys[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  }
}
