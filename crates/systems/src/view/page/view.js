// The page of `imgmill view`: a list of what the store has, and a viewer for one of it. Whatever comes from the store is
// put into the page as text, never as markup.
"use strict";

const part = (id) => document.getElementById(id);
const COUNT = 100;
let entries = [];
let total = 0;
let asking = 0;
let shown = 0;
let viewer = null;

const path = (key) => key.split("/").map(encodeURIComponent).join("/");
const service = (key) => `/iiif/3/${encodeURIComponent(key)}`;
const size = (bytes) =>
  bytes < 1e4 ? `${bytes} bytes` : bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

// The list, page by page as it is scrolled.

async function more(fresh) {
  const mine = ++asking;
  const from = fresh ? 0 : entries.length;
  const query = new URLSearchParams({ from, count: COUNT, search: part("search").value.trim() });
  const answer = await fetch(`/list.json?${query}`);
  if (mine !== asking) return;
  if (!answer.ok) return fail(await answer.text());
  const page = await answer.json();
  if (fresh) {
    entries = [];
    part("list").replaceChildren();
  }
  total = page.total;
  for (const entry of page.entries) {
    entries.push(entry);
    part("list").append(item(entry));
  }
  part("count").textContent = total === 1 ? "1 entry" : `${total} entries`;
}

function item(entry) {
  const button = document.createElement("button");
  const picture = thumbnail(entry);
  const sign = document.createElement(picture ? "img" : "div");
  if (picture) Object.assign(sign, { loading: "lazy", alt: "", src: picture, referrerPolicy: "no-referrer" });
  else Object.assign(sign, { className: "sign", textContent: entry.kind });
  const name = document.createElement("span");
  name.textContent = entry.key;
  button.append(sign, name);
  button.onclick = () => {
    location.hash = `${entry.kind}=${encodeURIComponent(entry.key)}`;
  };
  button.dataset.name = `${entry.kind}=${entry.key}`;
  const line = document.createElement("li");
  line.append(button);
  return line;
}

function thumbnail(entry) {
  if (entry.kind === "pyramid") return `${service(entry.key)}/full/!96,96/0/default.jpg`;
  if (entry.kind === "image") return `/files/${path(entry.key)}`;
  if (entry.kind !== "set") return null;
  const smallest = [...entry.renditions].sort((a, b) => a.bytes - b.bytes)[0];
  return picture(smallest, 96);
}

const picture = (rendition, side) =>
  rendition.is_pyramid
    ? `${service(rendition.key)}/full/!${side},${side}/0/default.jpg`
    : `/files/${path(rendition.key)}`;

// What is shown.

function clear() {
  shown += 1;
  if (viewer) viewer.destroy();
  viewer = null;
  for (const id of ["viewer", "beside", "error", "pages"]) part(id).hidden = true;
  part("beside").replaceChildren();
  part("title").textContent = "";
  part("facts").textContent = "";
}

function fail(message) {
  part("error").textContent = message.trim() || "it could not be read";
  part("error").hidden = false;
}

async function show() {
  clear();
  const mine = shown;
  const [kind, encoded] = location.hash.slice(1).split(/=(.*)/s);
  for (const button of part("list").querySelectorAll("[aria-current]")) button.removeAttribute("aria-current");
  if (!encoded) return;
  const key = decodeURIComponent(encoded);
  part("title").textContent = key;
  for (const button of part("list").querySelectorAll("button")) {
    if (button.dataset.name === `${kind}=${key}`) button.setAttribute("aria-current", "true");
  }
  try {
    if (kind === "pyramid") await described(`${service(key)}/info.json`, mine);
    else if (kind === "tiles") await described(`/files/${path(key)}/info.json`, mine);
    else if (kind === "zoom") open([`/files/${path(key)}`]);
    else if (kind === "image") open([{ type: "image", url: `/files/${path(key)}` }]);
    else if (kind === "manifest") await manifest(`/files/${path(key)}`, mine);
    else if (kind === "collection") await collection(`/files/${path(key)}`, mine);
    else if (kind === "set") await set(key, mine);
  } catch (error) {
    if (mine === shown) fail(error.message);
  }
}

async function asked(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

async function described(address, mine) {
  const info = await asked(address);
  if (mine !== shown) return;
  part("facts").textContent = `${info.width} × ${info.height}`;
  open([info]);
}

function open(sources) {
  part("viewer").hidden = false;
  viewer = OpenSeadragon({
    element: part("viewer"),
    tileSources: sources,
    sequenceMode: sources.length > 1,
    showNavigationControl: false,
    showSequenceControl: false,
    showNavigator: true,
    crossOriginPolicy: "Anonymous",
    maxZoomPixelRatio: 4,
    visibilityRatio: 0.5,
  });
  const current = viewer;
  current.addHandler("open-failed", ({ message }) => current === viewer && fail(message));
  current.addHandler("tile-load-failed", async ({ tile, message }) => {
    // The viewer knows that a tile failed; the server knows why.
    let why = message;
    try {
      const answer = await fetch(tile.getUrl());
      if (!answer.ok) why = await answer.text();
    } catch {
      // What it said stands.
    }
    if (current === viewer) fail(why);
  });
}

// A set: the original, and what was made of it, side by side.

async function set(key, mine) {
  const page = await asked(`/list.json?${new URLSearchParams({ search: key, count: 500 })}`);
  const entry = page.entries.find((entry) => entry.kind === "set" && entry.key === key);
  if (mine !== shown) return;
  if (!entry) throw new Error("nothing that was made of it is left");
  const figures = entry.renditions.map((rendition) =>
    figure(rendition.key, picture(rendition, 800), rendition, () => {
      const kind = rendition.is_pyramid ? "pyramid" : "image";
      location.hash = `${kind}=${encodeURIComponent(rendition.key)}`;
    }),
  );
  const first = figure("original", entry.original, entry, null);
  part("beside").replaceChildren(first, ...figures);
  part("beside").hidden = false;
}

function figure(name, address, facts, open) {
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = `${name}: ${facts.width} × ${facts.height}, ${size(facts.bytes)}`;
  if (address) {
    const image = document.createElement("img");
    Object.assign(image, { alt: name, loading: "lazy", referrerPolicy: "no-referrer", src: address });
    if (open) image.onclick = open;
    image.onerror = () => {
      caption.textContent += " — it could not be shown";
    };
    figure.append(image);
  } else {
    caption.textContent += " — not at hand; --originals names its folder";
  }
  figure.append(caption);
  return figure;
}

// Manifests and collections of Presentation 3.0 and 2.1.

const words = (label) =>
  typeof label === "string" ? label : label ? Object.values(label).flat().join(" ") : "";

async function manifest(address, mine) {
  const manifest = await asked(address);
  const canvases = manifest.items ?? manifest.sequences?.[0]?.canvases ?? [];
  const sources = await Promise.all(canvases.map(source));
  if (mine !== shown) return;
  part("title").textContent = words(manifest.label) || manifest.id || manifest["@id"];
  if (sources.length === 0) throw new Error("the manifest has no canvases");
  open(sources);
  const turned = (page) => {
    const label = words(canvases[page].label);
    part("page").textContent = `${page + 1} of ${canvases.length}${label ? `: ${label}` : ""}`;
    part("previous").disabled = page === 0;
    part("next").disabled = page === canvases.length - 1;
  };
  part("previous").onclick = () => viewer.goToPage(viewer.currentPage() - 1);
  part("next").onclick = () => viewer.goToPage(viewer.currentPage() + 1);
  viewer.addHandler("page", ({ page }) => turned(page));
  turned(0);
  part("pages").hidden = false;
}

async function source(canvas) {
  const body = canvas.items?.[0]?.items?.[0]?.body ?? canvas.images?.[0]?.resource;
  const service = [body?.service].flat()[0];
  const id = service?.id ?? service?.["@id"];
  if (!id) return { type: "image", url: body?.id ?? body?.["@id"] };
  return (await here(id)) ?? `${id}/info.json`;
}

// A service that will be at another place one day is shown from this store if it has an image of that name.
async function here(id) {
  if (id.startsWith(`${location.origin}/`)) return null;
  const parts = new URL(id, location.href).pathname.split("/").filter(Boolean).map(decodeURIComponent);
  // What stands before its name is that place's own: the longest name that is known here is meant.
  for (let from = Math.max(0, parts.length - 4); from < parts.length; from += 1) {
    const name = parts.slice(from).join("/");
    for (const address of [`/iiif/3/${encodeURIComponent(name)}/info.json`, `/files/${path(name)}/info.json`]) {
      const answer = await fetch(address);
      if (answer.ok) return answer.json();
    }
  }
  return null;
}

async function collection(address, mine) {
  const collection = await asked(address);
  if (mine !== shown) return;
  part("title").textContent = words(collection.label);
  const list = document.createElement("ul");
  for (const member of collection.items ?? collection.manifests ?? []) {
    const line = document.createElement("li");
    const link = document.createElement("a");
    const name = decodeURIComponent((member.id ?? member["@id"]).split("/").pop());
    const found = await asked(`/list.json?${new URLSearchParams({ search: name, count: 500 })}`);
    const entry = found.entries.find((entry) => entry.key === name || entry.key.endsWith(`/${name}`));
    link.textContent = words(member.label) || name;
    if (entry) link.href = `#${entry.kind}=${encodeURIComponent(entry.key)}`;
    line.append(link);
    list.append(line);
  }
  if (mine !== shown) return;
  part("beside").replaceChildren(list);
  part("beside").hidden = false;
}

let waiting = null;
part("search").oninput = () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => more(true), 150);
};
part("list").onscroll = ({ target }) => {
  const isNear = target.scrollTop + target.clientHeight > target.scrollHeight - 600;
  if (isNear && entries.length < total) more(false);
};
window.onhashchange = show;
more(true).then(show);
