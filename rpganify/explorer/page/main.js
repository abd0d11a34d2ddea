// Puts the page together: state in the middle, views around it.

import { Controls } from "./controls.js";
import { Rows } from "./rows.js";
import { getModel } from "./server.js";
import { Stage } from "./stage.js";
import { Store } from "./store.js";
import { Walk } from "./walk.js";

const banner = document.getElementById("banner");

/** Shows an error until something goes well again (`null`). */
function fail(error) {
  banner.hidden = !error;
  banner.textContent = error ? error.message : "";
}

async function start() {
  const model = await getModel();
  const store = new Store(model);
  store.readHash(location.hash);
  const rows = new Rows(store, model, document.getElementById("buckets"), fail);
  const stage = new Stage(store, model, document.getElementById("frames"), (bucket, block) => rows.preview(bucket, block), fail);
  const walk = new Walk(store, model, fail);
  const controls = new Controls(store, model, rows);
  const show = () => {
    stage.show(); // first: it shows the clicked block's picture before its row is painted anew
    document.querySelector(".right").dataset.active = "AB"[store.active];
    controls.show();
    rows.show();
    walk.show();
    history.replaceState(null, "", store.toHash());
  };
  store.onChange(show);
  show();
  document.documentElement.dataset.ready = "";
}

start().catch(fail);
