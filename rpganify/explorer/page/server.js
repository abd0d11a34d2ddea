// What the page asks its server for. Answers are kept: the same question has the same answer as long as the server runs.

import { format } from "./store.js";

const KEPT = 600;

export class Refusal extends Error {}
export class Gone extends Error {}

async function ask(address, signal) {
  let answer;
  try {
    answer = await fetch(address, { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Gone(`The explorer does not answer any more. Start it again in its terminal.`);
  }
  if (answer.ok) return answer;
  const type = answer.headers.get("content-type") ?? "";
  throw new Refusal(type.startsWith("application/json") ? (await answer.json()).error : await answer.text());
}

function query(values, entries) {
  const asked = new URLSearchParams(entries);
  for (const [name, text] of Object.entries(values)) asked.append("condition", `${name}=${text}`);
  return asked.toString();
}

/** Keeps the newest answers. */
class Kept {
  #entries = new Map();

  get(key) {
    const found = this.#entries.get(key);
    if (found !== undefined) this.#entries.delete(key), this.#entries.set(key, found);
    return found;
  }

  set(key, value) {
    this.#entries.set(key, value);
    if (this.#entries.size > KEPT) this.#entries.delete(this.#entries.keys().next().value);
  }
}

const images = new Kept();
const tiles = new Kept();

export const getModel = async () => (await ask("api/model")).json();

export const imageAddress = (path, values) => `api/image?${query(values, { path: format(path) })}`;

/** The image of a path, if it is here already. */
export const knownImage = (path, values) => images.get(imageAddress(path, values));

export async function getImage(path, values, signal) {
  const address = imageAddress(path, values);
  const known = images.get(address);
  if (known) return known;
  const made = await createImageBitmap(await (await ask(address, signal)).blob());
  images.set(address, made);
  return made;
}

export async function getWalk(start, end, order, signal) {
  return (await ask(`api/walk?${new URLSearchParams({ start: format(start), end: format(end), order })}`, signal)).json();
}

/** Names the pictures of a bucket's blocks: they do not depend on the path's own block there. */
export const rowKey = (path, bucket, values) => query(values, { path: format(path.with(bucket, "*")), bucket });

/** The pictures of a bucket's blocks that are here already, by block; none at first. */
export function knownTiles(path, bucket, values) {
  const key = rowKey(path, bucket, values);
  let row = tiles.get(key);
  if (!row) tiles.set(key, (row = new Map()));
  return row;
}

/** Fetches pictures of some blocks of a bucket into the row that `knownTiles` gives. */
export async function fetchTiles(path, bucket, first, count, values, size, signal) {
  const asked = query(values, { path: format(path.with(bucket, 0)), bucket, first, count });
  const strip = await createImageBitmap(await (await ask(`api/blocks?${asked}`, signal)).blob());
  const row = knownTiles(path, bucket, values);
  for (let i = 0; i < count; i++) row.set(first + i, { strip, left: i * size.width });
  return row;
}
