// Trends of the last minutes: begun from history when a row comes into view, continued from the stream.

const SPAN_MS = 300_000;
const WIDTH = 96;
const HEIGHT = 20;
const PAD = 2;
const POINTS = 96;
const AT_ONCE = 3;
const LEAST_SPAN = 0.02;

export class Sparks {
  #rows;
  #series = new Map(); // tag -> [[time_ms, value or null], ...] in time order
  #visible = new Set();
  #waiting = [];
  #asking = 0;
  #asked = new Set();
  #watcher;
  #now;

  /** `now()` is the server's clock: that of the browser may be wrong. */
  constructor(rows, now) {
    this.#rows = rows;
    this.#now = now;
    this.#watcher = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: "100px" });
    for (const row of rows.values()) this.#watcher.observe(row);
  }

  /** Continue a trend; what is bad, has no number or is missing leaves a gap. */
  add(tag, { time_ms, value, quality }) {
    if (time_ms < 0) return;
    const series = this.#series.get(tag) ?? [];
    const last = series.at(-1);
    if (last && last[0] >= time_ms) return;
    series.push([time_ms, quality === "bad" ? null : value]);
    while (series.length && series[0][0] < time_ms - SPAN_MS) series.shift();
    this.#series.set(tag, series);
    if (this.#visible.has(tag)) this.#draw(tag);
  }

  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const { tag } = target.dataset;
      if (!isIntersecting) {
        this.#visible.delete(tag);
        continue;
      }
      this.#visible.add(tag);
      this.#draw(tag);
      if (!this.#asked.has(tag)) {
        this.#asked.add(tag);
        this.#waiting.push(tag);
      }
    }
    this.#ask();
  }

  /** Ask for histories a few at a time: the page must not take the connections the alarms need. */
  #ask() {
    while (this.#asking < AT_ONCE && this.#waiting.length) {
      const tag = this.#waiting.shift();
      this.#asking += 1;
      this.#fetch(tag)
        .catch(() => this.#asked.delete(tag))
        .finally(() => {
          this.#asking -= 1;
          this.#ask();
        });
    }
  }

  async #fetch(tag) {
    const last = this.#series.get(tag)?.at(-1)?.[0] ?? this.#now();
    const query = new URLSearchParams({ from: String(Math.max(0, last - SPAN_MS)), to: String(last + 1), points: String(POINTS) });
    const answer = await fetch(`/api/v1/tags/${encodeURIComponent(tag)}/history?${query}`);
    if (!answer.ok) throw new Error(`history of ${tag}: ${answer.status}`);
    const past = pointsOf(await answer.json());
    const live = this.#series.get(tag) ?? [];
    const joint = past.length ? past.at(-1)[0] : -1;
    this.#series.set(tag, [...past, ...live.filter(([time]) => time > joint)]);
    this.#draw(tag);
  }

  #draw(tag) {
    const series = this.#series.get(tag) ?? [];
    const numbers = series.map(([, value]) => value).filter((value) => value !== null);
    const row = this.#rows.get(tag);
    const line = row.querySelector(".line");
    const gapMs = Number(row.dataset.gapMs);
    if (numbers.length < 2) {
      line.setAttribute("d", "");
      return;
    }
    // Noise must not look like movement: the picture spans at least a fiftieth of the instrument's range.
    const middle = (Math.min(...numbers) + Math.max(...numbers)) / 2;
    const half = Math.max(Math.max(...numbers) - middle, Number(row.dataset.span) * LEAST_SPAN / 2);
    const end = series.at(-1)[0];
    const x = (time) => ((WIDTH * (time - end + SPAN_MS)) / SPAN_MS).toFixed(1);
    const y = (value) =>
      (HEIGHT / 2 - (half > 0 ? ((HEIGHT / 2 - PAD) * (value - middle)) / half : 0)).toFixed(1);
    let path = "";
    let before = null; // time of the point the line may go on from; none after a gap
    for (const [time, value] of series) {
      if (value === null) {
        before = null;
        continue;
      }
      path += `${before !== null && time - before <= gapMs ? "L" : "M"}${x(time)} ${y(value)}`;
      before = time;
    }
    line.setAttribute("d", path);
  }
}

/** Return history as points; a folded bucket gives its two extremes. */
function pointsOf(history) {
  if (history.mode === "raw") {
    return history.time_ms.map((time, i) => [time, history.quality[i] === "bad" ? null : history.value[i]]);
  }
  return history.start_ms.flatMap((start, i) => [
    [start, history.minimum[i]],
    [start + Math.floor(history.bucket_ms / 2), history.maximum[i]],
  ]);
}
