"use strict";
// Every number comes from counts at cuts that were made beforehand; the arithmetic is that of
// fraudlab.metrics.rates. Without a script the page shows the shipped threshold.
const cuts = JSON.parse(document.getElementById("cuts").textContent);
const slider = document.getElementById("cut");
const shown = document.getElementById("value");
const back = document.getElementById("shipped");
const last = cuts.values.length - 1;

function ratio(part, whole) { return whole ? part / whole : 0; }

function readings(part, at) {
  const tp = part.tp[at], fp = part.fp[at], fn = part.frauds - tp, tn = part.rows - part.frauds - fp;
  const found = {
    true_positives: tp, false_positives: fp, false_negatives: fn, true_negatives: tn,
    precision: ratio(tp, tp + fp), recall: ratio(tp, tp + fn), f1: ratio(2 * tp, 2 * tp + fp + fn),
    fpr: ratio(fp, fp + tn), alert_rate: ratio(tp + fp, part.rows),
  };
  if (part.days !== null) found.alerts_per_day = (tp + fp) / part.days;
  if (part.caught !== null) found.value_detection_rate = ratio(part.caught[at], part.at_stake);
  if (part.cost !== null) {
    found.cost = part.cost[at];
    if (part.baseline > 0) found.savings = (part.baseline - found.cost) / part.baseline;
  }
  return found;
}

function grouped(text) { return text.replace(/\B(?=(\d{3})+(?!\d))/g, ","); }

function say(value, kind) {
  if (value === undefined) return "";
  if (kind === "share") {
    const percent = 100 * value;
    return percent.toFixed(Math.abs(percent) >= 1 || percent === 0 ? 1 : 2) + "\u00a0%";
  }
  const size = Math.abs(value);
  if (Number.isInteger(value) || size >= 100) return grouped(value.toFixed(0));
  const digits = size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.001 ? 3 : null;
  return digits === null ? String(Number(value.toPrecision(2))) : value.toFixed(digits);
}

function sayCut(value) { return String(Number(value.toPrecision(4))); }

function stretched(value, [kind, low, high]) {
  const stretch = { linear: (v) => v, log: Math.log, odds: (v) => Math.log(v / (1 - v)) }[kind];
  const inside = Math.min(high, Math.max(low, value));
  return (stretch(inside) - stretch(low)) / (stretch(high) - stretch(low));
}

function mark(name, x, y) {
  const plot = document.querySelector(`[data-plot="${name}"]`);
  const marker = plot && plot.querySelector(".marker");
  if (!marker || x === undefined || y === undefined) return;
  const axes = JSON.parse(plot.dataset.axes);
  marker.setAttribute("cx", axes.left + stretched(x, axes.x) * (axes.right - axes.left));
  marker.setAttribute("cy", axes.bottom - stretched(y, axes.y) * (axes.bottom - axes.top));
}

function show(at) {
  const value = cuts.values[at];
  slider.value = at;
  slider.setAttribute("aria-valuetext", sayCut(value));
  shown.textContent = sayCut(value);
  shown.dataset.raw = value;
  back.disabled = at === cuts.chosen;
  for (const [name, part] of Object.entries(cuts.parts)) {
    const found = readings(part, at);
    for (const cell of document.querySelectorAll(`[data-part="${name}"]`)) {
      cell.textContent = say(found[cell.dataset.metric], cell.dataset.kind);
      cell.dataset.raw = found[cell.dataset.metric];
    }
    if (name === "test") {
      mark("pr", found.recall, found.precision);
      mark("roc", found.fpr, found.recall);
      mark("cost", value, found.savings);
    }
  }
}

function nearest(value) {
  let best = 0;
  cuts.values.forEach((other, at) => { if (Math.abs(other - value) < Math.abs(cuts.values[best] - value)) best = at; });
  return best;
}

// A link may carry the place of the slider: report.html#threshold=0.3
function follow() {
  const [name, text] = location.hash.slice(1).split("=");
  const value = Number(text);
  show(name === cuts.knob && text && Number.isFinite(value) ? nearest(value) : cuts.chosen);
}

slider.disabled = false;
slider.addEventListener("input", () => show(Math.min(last, Math.max(0, Number(slider.value)))));
slider.addEventListener("change", () => history.replaceState(null, "", "#" + cuts.knob + "=" + cuts.values[Number(slider.value)]));
back.addEventListener("click", () => { show(cuts.chosen); slider.focus(); history.replaceState(null, "", "#"); });
addEventListener("hashchange", follow);
addEventListener("beforeprint", () => { for (const box of document.querySelectorAll("details")) box.open = true; });
follow();
