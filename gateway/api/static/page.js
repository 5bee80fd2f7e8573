// Keeps the page live. What the server rendered stays as it is until the first snapshot.

import { follow } from "./source.js";
import { Sparks } from "./sparks.js";
import { ageText, clockText, numberText } from "./text.js";

const STALLED_MS = 3000;
const RESTART_MS = 10000;
const FRESH_MS = 10000;
const ANNOUNCE_MS = 2000;
const DISAGREE_TICKS = 5;
const CLEARED_ROWS = 20;

const byId = (id) => document.getElementById(id);
const words = JSON.parse(byId("words").textContent);
const lang = document.body.dataset.lang;
const shownAlarms = Number(document.body.dataset.shownAlarms);
const title = document.title;

const ANNOUNCED = new Set(["raised", "tier_raised", "re_alarmed", "unshelved", "unsuppressed", "in_service"]);
const alarms = new Map(); // alarm_id -> alarm, those that are open and told
const cleared = new Map(); // alarm_id -> alarm, oldest first
const values = new Map(); // tag -> {time_ms, value, quality, reason, stale}
const tagRows = new Map([...document.querySelectorAll("tr.tag")].map((row) => [row.dataset.tag, row]));

let complete = true; // the client holds every active alarm (a flood is sent only in part)
let disagreed = 0;
let begun = false;
let offsetMs = Number(document.body.dataset.nowMs) - Date.now();
let lastTick = performance.now();
let lastRestart = performance.now();
let dirty = false;
let announcing = 0;
const toAnnounce = [];

const nowMs = () => Date.now() + offsetMs;
const sparks = new Sparks(tagRows, nowMs);

function field(row, name) {
  return row.querySelector(`[data-f="${name}"]`);
}

function setText(node, text) {
  if (node && node.textContent !== text) node.textContent = text;
}

function cloneOf(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}

function rowOf(id) {
  return byId(id).content.querySelector("tr").cloneNode(true);
}

// ---- events

const on = {
  snapshot(event) {
    begun = true;
    alarms.clear();
    cleared.clear();
    for (const alarm of event.alarms) alarms.set(alarm.alarm_id, alarm);
    for (const alarm of [...event.cleared].reverse()) cleared.set(alarm.alarm_id, alarm);
    complete = event.alarms.length === total(event.active_by_tier);
    takeValues(event.values);
    takeCounts(event.active_by_tier);
    takeEdges(event.edges);
    takeHealth(event.health, event.at_ms);
    dirty = true;
  },
  alarm({ kind, alarm }) {
    const known = alarms.get(alarm.alarm_id) ?? cleared.get(alarm.alarm_id);
    if (known && known.version >= alarm.version) return;
    if (alarm.inhibited !== null) {
      alarms.delete(alarm.alarm_id); // recorded, and on lists of its own
    } else if (alarm.state !== "cleared") {
      const alarming = ANNOUNCED.has(kind);
      if (alarming) announce(alarm);
      alarms.set(alarm.alarm_id, { ...alarm, fresh: alarming ? performance.now() : known?.fresh });
      cleared.delete(alarm.alarm_id);
    } else {
      alarms.delete(alarm.alarm_id);
      cleared.set(alarm.alarm_id, alarm);
      while (cleared.size > CLEARED_ROWS) cleared.delete(cleared.keys().next().value);
    }
    dirty = true;
  },
  values(event) {
    takeValues(event);
    dirty = true;
  },
  tick(event) {
    lastTick = performance.now();
    if (!begun) return;
    if (event.active_by_tier) {
      takeCounts(event.active_by_tier);
      // Counters and list come by different ways; when they keep disagreeing, something was missed.
      const agree = !complete || total(event.active_by_tier) === alarms.size;
      disagreed = agree ? 0 : disagreed + 1;
      if (disagreed >= DISAGREE_TICKS) {
        disagreed = 0;
        stream.restart();
      }
    }
    if (event.edges) takeEdges(event.edges);
    takeHealth(event.health, event.at_ms);
    dirty = true;
  },
  reset() {},
  lost() {
    setLink("connecting");
    signInAgain();
  },
};

async function signInAgain() {
  try {
    const answer = await fetch("/api/v1/me", { headers: { Accept: "application/json" } });
    if (answer.status === 401) location.assign("/login");
  } catch {
    // no connection: the stream tries again by itself
  }
}

function total(byTier) {
  return Object.values(byTier).reduce((sum, count) => sum + count, 0);
}

function takeValues(event) {
  event.tags.forEach((tag, i) => {
    const one = {
      time_ms: event.time_ms[i], value: event.value[i], quality: event.quality[i], reason: event.reason[i],
      stale: event.stale[i],
    };
    values.set(tag, one);
    const row = tagRows.get(tag);
    if (row) showTag(row, tag, one);
  });
}

// ---- drawing

function showTag(row, tag, one) {
  const state = one.time_ms < 0 ? "none" : one.stale ? "stale" : one.quality;
  for (const name of ["none", "stale", "good", "uncertain", "bad"]) row.classList.toggle(`q-${name}`, name === state);
  setText(field(row, "value"), numberText(one.value));
  const badge = field(row, "quality");
  setText(badge, state === "good" ? "" : words[state]);
  badge.title = one.quality === "good" ? "" : words[`reason_${one.reason}`];
  sparks.add(tag, one);
}

function takeCounts(byTier) {
  for (const [tier, count] of Object.entries(byTier)) {
    const item = document.querySelector(`[data-count="${tier}"]`);
    item.classList.toggle("zero", count === 0);
    setText(item.querySelector("b"), String(count));
  }
  const sum = total(byTier);
  setText(byId("active-total"), String(sum));
  const worst = [1, 2, 3, 4].find((tier) => byTier[tier]);
  document.title = worst ? `(${sum} · ${words[`tier_${worst}`]}) ${title}` : title;
}

function takeHealth(health, atMs) {
  offsetMs = atMs - Date.now();
  lastTick = performance.now();
  const clock = byId("clock");
  clock.dateTime = new Date(atMs).toISOString();
  setText(clock, clockText(atMs));
  setText(document.querySelector('[data-h="samples_per_s"]'), numberText(health.samples_per_s));
  const delay = `${numberText(health.delay_p50_ms)} / ${numberText(health.delay_p99_ms)} ms`;
  setText(document.querySelector('[data-h="delay"]'), delay);
  setText(document.querySelector('[data-h="history_lag"]'), String(health.history_lag));
  const parts = {
    pipeline: health.pipeline_alive, broker: health.broker_connected, records: health.records_ok,
    history: health.history_ok,
  };
  const banners = [];
  for (const [name, well] of Object.entries(parts)) {
    const item = document.querySelector(`[data-part="${name}"]`);
    item.classList.toggle("down", !well);
    setText(item.querySelector("b"), well ? words.ok : words.down);
    if (!well) banners.push(words[`banner_${name}`]);
  }
  if (!health.replayed) banners.push(words.banner_replayed);
  setLink("live");
  showBanners(banners);
}

function showBanners(texts) {
  const box = byId("banners");
  const same = box.children.length === texts.length && texts.every((text, i) => box.children[i].textContent === text);
  if (same) return;
  box.replaceChildren(
    ...texts.map((text) => {
      const banner = document.createElement("p");
      banner.className = "banner";
      banner.textContent = text;
      return banner;
    }),
  );
}

function setLink(state) {
  const link = byId("link");
  link.className = `link ${state}`;
  setText(link, words[state]);
  document.body.classList.toggle("stalled", state === "stalled");
}

// What waits at an edge; of an earlier outage also how much, and when it will be here.
function outboxText(report) {
  if (!report) return "–";
  if (!report.backlog_frames) return String(report.outbox_frames);
  const eta = report.backlog_eta_s === null ? "" : ` · ${ageText(1000 * report.backlog_eta_s)}`;
  return `${report.outbox_frames} (${words.backlog} ${report.backlog_frames}${eta})`;
}

function takeEdges(edges) {
  const body = byId("edges");
  for (const edge of edges) {
    let row = body.querySelector(`[data-edge="${CSS.escape(edge.edge)}"]`);
    if (!row) {
      row = rowOf("edge-row");
      row.dataset.edge = edge.edge;
      body.append(row);
    }
    row.classList.toggle("offline", edge.online === false);
    setText(field(row, "edge"), edge.edge);
    setText(field(row, "name"), edge.known ? edge.name[lang] : words.unknown_edge);
    setText(field(row, "state"), edgeState(edge));
    setText(field(row, "outbox"), outboxText(edge.report));
    warn(field(row, "missing"), edge.missing_frames, String(edge.missing_frames));
    warn(field(row, "shed"), edge.shed_samples, String(edge.shed_samples));
    warn(field(row, "stale"), edge.stale_tags, `${edge.stale_tags}/${edge.tags}`);
  }
}

function edgeState(edge) {
  if (edge.kind === "direct") return words.best_effort;
  if (edge.online === null) return words.never_spoke;
  return edge.online ? words.online : words.offline;
}

function warn(cell, count, text) {
  cell.classList.toggle("warn", count > 0);
  setText(cell, text);
}

/** The value now; one that is stale or bad is never shown as if it were the present. */
function present(alarm) {
  const one = values.get(alarm.tag);
  if (!one || one.time_ms < 0) return words.none;
  if (one.stale) return words.stale;
  return one.quality === "bad" ? words.bad : `${numberText(one.value)} ${alarm.unit}`;
}

function trigger(alarm) {
  if (alarm.measure !== null) return `${numberText(alarm.measure)} / ${numberText(alarm.limit)} ${alarm.limit_unit}`;
  if (alarm.limit !== null) return `${numberText(alarm.value)} / ${numberText(alarm.limit)} ${alarm.unit}`;
  if (alarm.condition === "BAD_PV" && alarm.quality !== "good") return words[`reason_${alarm.reason}`];
  return "–";
}

function sorted() {
  return [...alarms.values()].sort(
    (a, b) => a.tier - b.tier || b.raised_ms - a.raised_ms || (a.alarm_id < b.alarm_id ? 1 : -1),
  );
}

function drawAlarms() {
  const list = sorted();
  const shown = list.slice(0, shownAlarms);
  reconcile(byId("active"), shown, "alarm-row", (row, alarm) => {
    row.className = `alarm tier-${alarm.tier}`;
    row.classList.toggle("new", alarm.fresh !== undefined && performance.now() - alarm.fresh < FRESH_MS);
    showCommon(row, alarm);
    field(row, "delayed").hidden = !alarm.delayed;
    field(row, "acknowledged").hidden = !alarm.acknowledged;
    field(row, "latched").hidden = alarm.state !== "latched";
    field(row, "returned").hidden = alarm.state !== "returned";
    field(row, "risen").hidden = alarm.rise === null;
    setText(field(row, "why"), alarm.rise ? alarm.rise.message[lang] : "");
    setText(field(row, "trigger"), trigger(alarm));
    setText(field(row, "present"), present(alarm));
    setText(field(row, "age"), ageText(nowMs() - alarm.onset_ms));
  });
  byId("no-active").hidden = list.length > 0;
  const counted = Number(byId("active-total").textContent);
  const beyond = Math.max(counted, list.length) - shown.length;
  byId("more").hidden = complete ? list.length <= shown.length : beyond <= 0;
  setText(byId("more"), words.more_alarms.replace("{n}", String(beyond)));
  markTags(list);
}

function drawCleared() {
  reconcile(byId("cleared"), [...cleared.values()].reverse(), "cleared-row", (row, alarm) => {
    showCommon(row, alarm);
    showTime(field(row, "cleared"), alarm.cleared_ms);
  });
  byId("no-cleared").hidden = cleared.size > 0;
}

function showCommon(row, alarm) {
  if (row.dataset.chip !== String(alarm.tier)) {
    row.dataset.chip = String(alarm.tier);
    field(row, "chip").replaceChildren(cloneOf(`chip-${alarm.tier}`));
  }
  const link = field(row, "tag");
  setText(link, alarm.tag);
  link.setAttribute("href", `#tag-${alarm.tag}`);
  const sheet = field(row, "description");
  setText(sheet, alarm.description[lang]);
  sheet.setAttribute("href", `/api/v1/alarms/${alarm.alarm_id}/sheet.html`);
  setText(field(row, "condition"), words[`condition_${alarm.condition}`]);
  row.title = alarm.message[lang];
  showTime(field(row, "since"), alarm.onset_ms);
}

function showTime(cell, atMs) {
  const text = clockText(atMs);
  if (cell.textContent === text) return;
  const time = document.createElement("time");
  time.dateTime = new Date(atMs).toISOString();
  time.textContent = text;
  cell.replaceChildren(time);
}

/** Make the rows of `body` those of `list`, in order, reusing the rows that are there. */
function reconcile(body, list, template, show) {
  const have = new Map([...body.children].map((row) => [row.dataset.alarm, row]));
  let place = body.firstElementChild;
  for (const alarm of list) {
    let row = have.get(alarm.alarm_id);
    if (row) have.delete(alarm.alarm_id);
    else {
      row = rowOf(template);
      row.dataset.alarm = alarm.alarm_id;
    }
    show(row, alarm);
    if (row === place) place = place.nextElementSibling;
    else body.insertBefore(row, place);
  }
  for (const row of have.values()) row.remove();
}

function markTags(list) {
  const worst = new Map();
  for (const alarm of list) if (!worst.has(alarm.tag)) worst.set(alarm.tag, alarm.tier);
  for (const [tag, row] of tagRows) {
    const tier = worst.get(tag);
    const mark = tier === undefined ? "" : String(tier);
    if ((row.dataset.mark ?? "?") === mark) continue;
    row.dataset.mark = mark;
    for (const one of [1, 2, 3, 4]) row.classList.toggle(`tier-${one}`, one === tier);
    field(row, "mark").replaceChildren(...(tier === undefined ? [] : [cloneOf(`mark-${tier}`)]));
  }
}

// ---- telling those who cannot see

function announce(alarm) {
  if (!begun || alarm.tier > 2) return;
  toAnnounce.push(`${words.new_alarm} ${words[`tier_${alarm.tier}`]}: ${alarm.message[lang]}`);
  announcing ||= setTimeout(speak, 0);
}

function speak() {
  if (toAnnounce.length === 0) {
    announcing = 0;
    return;
  }
  byId("announce").textContent = toAnnounce.splice(0).join("; ");
  announcing = setTimeout(speak, ANNOUNCE_MS);
}

// ---- the watch over the stream itself

function watch() {
  const silentMs = performance.now() - lastTick;
  if (silentMs > STALLED_MS) {
    setLink("stalled");
    showBanners([words.banner_stalled.replace("{n}", String(Math.floor(silentMs / 1000)))]);
    if (silentMs > RESTART_MS && performance.now() - lastRestart > RESTART_MS) {
      lastRestart = performance.now();
      stream.restart();
    }
  }
  if (begun && (dirty || alarms.size)) {
    dirty = false;
    drawAlarms();
    drawCleared();
  }
}

function take(name, data) {
  on[name](data === "" ? null : JSON.parse(data));
  // A new red alarm is drawn at once, everything else at most twice a second.
  if (name === "alarm" || name === "snapshot") watch();
}

function openStream() {
  if (!("SharedWorker" in window)) return follow(take);
  const worker = new SharedWorker("/static/worker.js", { type: "module", name: "hazgate-stream" });
  let direct = null;
  worker.onerror = () => {
    direct ??= follow(take);
  };
  worker.port.onmessage = ({ data: [name, data] }) => take(name, data);
  addEventListener("pagehide", () => worker.port.postMessage("bye"));
  return { restart: () => (direct ? direct.restart() : worker.port.postMessage("restart")) };
}

addEventListener("pageshow", (event) => event.persisted && location.reload());
for (const time of document.querySelectorAll("main time")) setText(time, clockText(Date.parse(time.dateTime)));
setText(byId("link"), words.connecting);
const stream = openStream();
setInterval(watch, 500);
