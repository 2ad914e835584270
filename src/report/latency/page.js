// What the page can do without: a read-out under the pointer, and stages switched off in the legend.
"use strict";
(() => {
  const SAMPLES_PER_NINE = 50;
  const stages = JSON.parse(document.getElementById("curves").textContent);
  const hidden = new Set();
  const readout = document.getElementById("readout");

  const nanos = (ns) => {
    const digits = (v) => v.toFixed(v < 9.995 ? 2 : v < 99.95 ? 1 : 0);
    if (ns < 1e3) return `${ns} ns`;
    if (ns < 999500) return `${digits(ns / 1e3)} µs`;
    if (ns < 999500000) return `${digits(ns / 1e6)} ms`;
    return `${digits(ns / 1e9)} s`;
  };

  const percent = (nines) => {
    const rest = 100 * Math.pow(10, -nines);
    return `${(100 - rest).toFixed(Math.max(1, Math.ceil(nines)))} %`;
  };

  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const show = (svg, event) => {
    const box = svg.getBoundingClientRect();
    const { low, high, from, to } = Object.fromEntries(
      Object.entries(svg.dataset).map(([key, value]) => [key, Number(value)]));
    const x = (event.clientX - box.left) * svg.viewBox.baseVal.width / box.width;
    const share = (x - from) / (to - from);
    if (share < 0 || share > 1) return hide(svg);
    const sample = Math.round((low + share * (high - low)) * SAMPLES_PER_NINE);
    const rows = stages
      .map((stage, i) => ({ name: stage.name, class: stage.class, ns: stage.values[sample], i }))
      .filter((row) => row.ns !== undefined && !hidden.has(row.i))
      .sort((a, b) => b.ns - a.ns);
    if (rows.length === 0) return hide(svg);
    readout.replaceChildren(element("b", "", percent(sample / SAMPLES_PER_NINE)), ...rows.map((row) => {
      const line = element("div");
      line.append(element("i", `key ${row.class}`), element("span", "", row.name), element("span", "", nanos(row.ns)));
      return line;
    }));
    const cursor = svg.querySelector(".cursor");
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    cursor.setAttribute("visibility", "visible");
    readout.hidden = false;
    const parent = readout.parentElement.getBoundingClientRect();
    const right = event.clientX - parent.left + 18;
    const fits = right + readout.offsetWidth < parent.width;
    readout.style.left = `${fits ? right : right - readout.offsetWidth - 36}px`;
    readout.style.top = `${event.clientY - parent.top + 12}px`;
  };

  const hide = (svg) => {
    readout.hidden = true;
    svg.querySelector(".cursor").setAttribute("visibility", "hidden");
  };

  for (const svg of document.querySelectorAll("svg.percentiles")) {
    svg.addEventListener("pointermove", (event) => show(svg, event));
    svg.addEventListener("pointerleave", () => hide(svg));
  }

  for (const entry of document.querySelectorAll("[data-toggle]")) {
    const index = Number(entry.dataset.toggle);
    const toggle = () => {
      const off = !hidden.delete(index);
      if (off) hidden.add(index);
      entry.classList.toggle("off", off);
      entry.setAttribute("aria-pressed", String(!off));
      for (const series of document.querySelectorAll(`[data-series="${index}"]`)) {
        series.classList.toggle("off-series", off);
      }
    };
    entry.setAttribute("role", "button");
    entry.setAttribute("tabindex", "0");
    entry.setAttribute("aria-pressed", "true");
    entry.title = "Click to hide or show";
    entry.addEventListener("click", toggle);
    entry.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        toggle();
      }
    });
  }
})();
