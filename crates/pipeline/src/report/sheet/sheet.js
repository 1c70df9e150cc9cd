"use strict";
// The contact sheet's page. What rows say is put into it as text, never as markup.
function begin() {
  if (document.body.dataset.begun) return;
  document.body.dataset.begun = "yes";
  const part = (id) => document.getElementById(id);
  const element = (name, facts, ...children) => {
    const made = Object.assign(document.createElement(name), facts);
    made.append(...children);
    return made;
  };
  const PAGE = 50;
  const rows = [...document.querySelectorAll("script.rows")].flatMap((script, place) =>
    JSON.parse(script.textContent).map((row, number) => Object.assign(row, { place, number })),
  );
  const size = (bytes) => (bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
  const time = (ms) => (ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`);
  const took = (row) => row.ms[0] + row.ms[1] + row.ms[2];
  const made = (row) => row.made.reduce((sum, rendition) => sum + rendition.size[0], 0);
  const saved = (row) => (row.made.length > 0 ? row.source[0] - made(row) : 0);
  for (const row of rows) row.text = `${row.url} ${row.why ?? ""} ${row.kind ?? ""}`.toLowerCase();

  // Pictures of a part of the rows are read when one of them is shown.
  const read = new Map();
  const pictures = (row) => {
    if (!read.has(row.place)) {
      const script = part(`pictures-${row.place}`);
      // It is still on its way if something follows it not yet.
      if (!script || (document.readyState === "loading" && !script.nextSibling)) return [null, null];
      if (read.size > 20) read.delete(read.keys().next().value);
      read.set(row.place, JSON.parse(script.textContent));
    }
    return read.get(row.place)[row.number] ?? [null, null];
  };

  const orders = {
    failed: (a, b) => (b.status === "failed") - (a.status === "failed") || a.n - b.n,
    row: (a, b) => a.n - b.n,
    slow: (a, b) => took(b) - took(a),
    large: (a, b) => b.source[0] - a.source[0],
    saved: (a, b) => saved(b) - saved(a),
  };
  let found = [];
  let page = 0;

  function find() {
    const words = part("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const status = part("status").value;
    found = rows.filter((row) => (!status || row.status === status) && words.every((word) => row.text.includes(word)));
    found.sort(orders[part("order").value]);
    page = 0;
    show();
  }

  function show() {
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    part("rows").replaceChildren(...found.slice(page * PAGE, (page + 1) * PAGE).map(line));
    part("page").textContent = `${found.length} rows, page ${page + 1} of ${pages}`;
    part("previous").disabled = page === 0;
    part("next").disabled = page + 1 >= pages;
  }

  function picture(data, name) {
    if (!data) return element("div", { className: "none", textContent: `no ${name}` });
    return element("img", { src: `data:image/webp;base64,${data}`, alt: name, loading: "lazy" });
  }

  const link = (url) =>
    /^https?:\/\//i.test(url) ? element("a", { href: url, textContent: url, rel: "noreferrer noopener" }) : url;

  function line(row) {
    const [before, after] = pictures(row);
    const facts = element("div", { className: "facts" }, element("p", { className: "url" }, `${row.n} `, link(row.url)));
    if (row.why) {
      const where = row.stage ? `${row.stage}, ${row.kind}: ` : "";
      facts.append(element("p", { className: "why", textContent: where + row.why }));
    }
    const [bytes, width, height] = row.source;
    const source = width > 0 ? `${width} × ${height}, ${size(bytes)}` : bytes > 0 ? size(bytes) : "";
    const gain = row.made.length > 0 && bytes > 0 ? `, ${Math.round((100 * saved(row)) / bytes)} % saved` : "";
    const spent = `fetch ${time(row.ms[0])}, derive ${time(row.ms[1])}, store ${time(row.ms[2])}`;
    facts.append(element("p", { className: "status", textContent: [row.status, source + gain, spent].filter(Boolean).join(" — ") }));
    for (const { label, url, size: [length, across, down] } of row.made) {
      facts.append(element("p", {}, `${label}: ${across} × ${down}, ${size(length)} `, link(url)));
    }
    const side = element("div", { className: "pictures" }, picture(before, "source"), picture(after, "result"));
    return element("li", { className: row.status }, side, facts);
  }

  // What there is to say of all of them.

  function overview() {
    const count = (status) => rows.filter((row) => row.status === status).length;
    const sources = rows.filter((row) => row.made.length > 0).reduce((sum, row) => sum + row.source[0], 0);
    const results = rows.reduce((sum, row) => sum + made(row), 0);
    const statuses = [...new Set(rows.map((row) => row.status))].sort();
    const counts = statuses.map((status) => `${count(status)} ${status}`).join(", ");
    const gain = sources > 0 ? `; ${size(sources)} of sources became ${size(results)} of results` : "";
    part("sums").textContent = `${rows.length} rows: ${counts}${gain}`;
    part("status").append(...statuses.map((status) => element("option", { value: status, textContent: status })));
    plot();
    list("slowest", orders.slow, (row) => time(took(row)));
    list("largest", orders.large, (row) => size(row.source[0]));
    const reasons = new Map();
    for (const row of rows.filter((row) => row.status === "failed")) {
      const reason = `${row.stage}, ${row.kind}`;
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
    part("reasons").hidden = reasons.size === 0;
    const often = [...reasons].sort((a, b) => b[1] - a[1]);
    part("why").replaceChildren(...often.map(([reason, times]) => element("li", { textContent: `${reason} × ${times}` })));
  }

  function list(id, order, fact) {
    const first = [...rows].sort(order).slice(0, 8);
    const lines = first.map((row) => {
      const button = element("button", { type: "button", textContent: row.url });
      button.onclick = () => {
        part("search").value = row.url;
        part("status").value = "";
        find();
      };
      return element("li", {}, `${fact(row)} `, button);
    });
    part(id).replaceChildren(...lines);
  }

  function plot() {
    const stages = ["fetch", "derive", "store"].map((name, index) => {
      const times = rows.map((row) => row.ms[index]).sort((a, b) => a - b);
      const at = (share) => times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0;
      return { name, sum: times.reduce((sum, ms) => sum + ms, 0), median: at(0.5), most: at(0.95) };
    });
    const longest = Math.max(1, ...stages.map((stage) => stage.sum));
    const draw = (name, facts) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(facts)) made.setAttribute(key, value);
      return made;
    };
    const svg = draw("svg", { viewBox: "0 0 320 132", role: "img", "aria-label": "Time by stage" });
    stages.forEach(({ name, sum, median, most }, index) => {
      const y = index * 44;
      const words = draw("text", { x: 0, y: y + 12 });
      words.textContent = `${name}: ${time(sum)} in all; median ${time(median)}, 95 % below ${time(most)}`;
      const fill = ["#4a7fb5", "#c98a2b", "#5b9a5b"][index];
      svg.append(words, draw("rect", { x: 0, y: y + 18, width: (320 * sum) / longest, height: 14, fill }));
    });
    part("plot").replaceChildren(svg);
  }

  const turn = (by) => {
    page += by;
    show();
    scrollTo(0, part("form").offsetTop);
  };
  part("previous").onclick = () => turn(-1);
  part("next").onclick = () => turn(1);
  part("form").onsubmit = (event) => event.preventDefault();
  for (const id of ["search", "status", "order"]) part(id).oninput = find;
  overview();
  find();
  // Pictures come last; those of the rows that are shown may not have been there.
  document.addEventListener("DOMContentLoaded", show);
}
// Of a run that was killed nothing says that all rows are there.
document.addEventListener("DOMContentLoaded", begin);
