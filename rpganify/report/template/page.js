"use strict";
(() => {
  // Colours: as the system, light, dark. What was chosen is remembered where the browser allows it.
  const root = document.documentElement;
  const button = document.querySelector(".theme");
  const names = { "": "as the system", light: "light", dark: "dark" };
  const signs = { "": "\u25d0", light: "\u25cb", dark: "\u25cf" };
  const stored = () => { try { return localStorage.getItem("rpganify-theme") || ""; } catch { return ""; } };
  const show = (theme) => {
    if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
    button.textContent = signs[theme];
    button.title = `Colours: ${names[theme]}`;
    button.setAttribute("aria-label", button.title);
  };
  const order = ["", "light", "dark"];
  button.hidden = false;
  button.addEventListener("click", () => {
    const next = order[(order.indexOf(root.dataset.theme || "") + 1) % order.length];
    try { localStorage.setItem("rpganify-theme", next); } catch { /* for this visit only */ }
    show(next);
  });
  show(order.includes(stored()) ? stored() : "");

  // The contents say where one is.
  const links = new Map([...document.querySelectorAll("nav li a")].map((a) => [a.hash.slice(1), a]));
  const seen = new Set();
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) entry.isIntersecting ? seen.add(entry.target.id) : seen.delete(entry.target.id);
    let current = null;
    for (const [key, link] of links) {
      link.removeAttribute("aria-current");
      if (current === null && seen.has(key)) current = link;
    }
    if (current === null) return;
    current.setAttribute("aria-current", "true");
    const list = current.closest("ul");
    if (list.scrollWidth > list.clientWidth) list.scrollTo({ left: current.offsetLeft - list.clientWidth / 3 });
  }, { rootMargin: "-15% 0px -55% 0px" });
  for (const key of links.keys()) { const part = document.getElementById(key); if (part) watcher.observe(part); }

  // A click on a figure shows it at its full size.
  const dialog = document.querySelector("dialog");
  const stage = dialog.querySelector("div");
  for (const zoom of document.querySelectorAll(".zoom")) {
    zoom.addEventListener("click", () => {
      stage.replaceChildren(...[...zoom.querySelectorAll("img")].map((image) => {
        const copy = image.cloneNode();
        copy.removeAttribute("width");
        copy.removeAttribute("height");
        return copy;
      }));
      stage.className = zoom.classList.contains("light-only") ? "light-only" : "";
      dialog.showModal();
    });
  }
  dialog.addEventListener("click", (event) => { if (event.target.tagName !== "IMG") dialog.close(); });

  // On paper nothing can be opened by a click.
  addEventListener("beforeprint", () => { for (const part of document.querySelectorAll("details:not(.files)")) part.open = true; });
})();
