// What scripts add to pages that work without them: copy buttons, ages that grow, statuses that
// stay true. Reads the tracker's own API, sends nothing, keeps nothing. Speaks the page's language:
// the texts come with it, in #live-words.

const POLL_MS = 10_000;
const SLOWEST_POLL_MS = 120_000;
// While events come: queues and the time a rig was seen are in none.
const LIVE_POLL_MS = 60_000;
const RELISTEN_MS = 120_000;
const TIMEOUT_MS = 8_000;

// The server's clock counts, not the visitor's.
const skew = Number(document.body.dataset.now) - Date.now() / 1000;
const now = () => Math.floor(Date.now() / 1000 + skew);

const language = document.documentElement.lang;
const texts = new Map(
  [...document.querySelectorAll("#live-words > [data-live]")].map((word) => [
    word.dataset.live,
    { one: word.dataset.one ?? word.textContent, other: word.textContent },
  ]),
);

/** A text of the page, cut at its placeholders, each of which is given by its value. */
function pieces(name, values) {
  const text = texts.get(name)[values.n === 1 ? "one" : "other"];
  return text.split(/\{([a-z]+)\}/).map((piece, index) => (index % 2 ? values[piece] : piece));
}

/** Numbers get their thousands separated, as web/languages.py does it. */
function say(name, values = {}) {
  return pieces(name, values)
    .map((piece) => (typeof piece === "number" ? piece.toLocaleString(language) : piece))
    .join("");
}

/** The same steps as format_age in web/formats.py. */
function age(at) {
  const seconds = now() - at;
  if (seconds < 5) return say("just_now");
  if (seconds < 60) return say("seconds_ago", { n: seconds });
  if (seconds < 3600) return say("minutes_ago", { n: Math.floor(seconds / 60) });
  if (seconds < 2 * 86400) return say("hours_ago", { n: Math.floor(seconds / 3600) });
  if (seconds < 30 * 86400) return say("days_ago", { n: Math.floor(seconds / 86400) });
  return new Date(at * 1000).toISOString().slice(0, 10);
}

/** The same choices as describe_queue in web/formats.py. */
function queueText({ status, queue }) {
  if (!queue || (status !== "available" && status !== "busy")) return "";
  const { active, waiting, max_active: n } = queue;
  if (!active && !waiting) return say("idle", { n });
  return waiting ? say("waiting", { n, active, waiting }) : say("slots", { n, active });
}

function refreshAges() {
  for (const time of document.querySelectorAll("time[data-at]")) {
    const text = age(Number(time.dataset.at));
    if (time.textContent !== text) time.textContent = text;
  }
}

/** A moment on the reader's clock: the time alone when it is within a day, else with the weekday. */
function clockText(at) {
  const isSoon = at - now() < 20 * 3600;
  const day = at - now() < 6 * 86400 ? { weekday: "short" } : { month: "short", day: "numeric" };
  const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return new Intl.DateTimeFormat(language, isSoon ? clock : { ...day, ...clock }).format(at * 1000);
}

/** When a paused rig opens, as the macro `opens` in _parts.html says it, but in local time. */
function showOpens(part, at) {
  if (!part) return;
  part.hidden = at === null || at <= now();
  if (part.hidden) return;
  const time = document.createElement("time");
  time.dataset.opens = String(at);
  time.dateTime = new Date(at * 1000).toISOString();
  time.textContent = clockText(at);
  part.replaceChildren(...pieces("opens", { when: time }));
}

function localiseOpenings() {
  for (const time of document.querySelectorAll("time[data-opens]")) {
    showOpens(time.closest("[data-part=opens]"), Number(time.dataset.opens));
  }
}

function showStatus(box, status) {
  const shape = document.getElementById(`s-${status}`);
  if (!shape || box.dataset.status === status) return;
  box.dataset.status = status;
  box.querySelector("use")?.setAttribute("href", `#s-${status}`);
  const word = box.querySelector("[data-part=status] > span");
  if (word) word.textContent = shape.dataset.word;
}

function showSeen(part, at) {
  if (!part || at === null) return;
  let time = part.querySelector("time");
  if (!time) {
    time = document.createElement("time");
    part.replaceChildren(...pieces("seen", { when: time }));
  }
  time.dataset.at = String(at);
  time.dateTime = new Date(at * 1000).toISOString();
  time.textContent = age(at);
}

function show(node) {
  for (const box of document.querySelectorAll("[data-node]")) {
    if (box.dataset.node !== node.id) continue;
    showStatus(box, node.status);
    const queue = box.querySelector("[data-part=queue]");
    if (queue) queue.textContent = queueText(node);
    showOpens(box.querySelector("[data-part=opens]"), node.opens_at);
    showSeen(box.querySelector("[data-part=seen]"), node.last_seen_at);
  }
  const mark = document.querySelector(`.marks a[href^="/nodes/${CSS.escape(node.id)}"] use`);
  if (mark && document.getElementById(`s-${node.status}`)) mark.setAttribute("href", `#s-${node.status}`);
}

async function fetchNodes(path) {
  const reply = await fetch(path, {
    cache: "no-cache",
    credentials: "omit",
    headers: { accept: "application/json" },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (reply.status === 404) return [];
  if (!reply.ok) throw new Error(`status ${reply.status}`);
  const body = await reply.json();
  return body.nodes ?? [body.node];
}

function tell(text) {
  for (const part of document.querySelectorAll("[data-fresh]")) {
    part.hidden = false;
    part.textContent = text;
  }
}

/** A rig that left a filtered list must not go on saying what it said. */
function forgetMissing(nodes) {
  const ids = new Set(nodes.map((node) => node.id));
  for (const box of document.querySelectorAll("[data-node]")) {
    if (!ids.has(box.dataset.node)) forget(box);
  }
}

function forget(box) {
  showStatus(box, "unknown");
  const word = box.querySelector("[data-part=status] > span");
  if (word) word.textContent = say("gone");
}

/** One rig of this page: what an event of the tracker says of it. */
function hear(kind, news) {
  if (kind !== "gone") return show(news);
  for (const box of document.querySelectorAll("[data-node]")) {
    if (box.dataset.node === news.id) forget(box);
  }
}

/**
 * Events of the map for as long as somebody looks: browsers have few connections for each tracker,
 * and a tab that nobody sees must not hold one. onHeard: told whether events come, and whether
 * the list has to be read again.
 */
function listen(address, onHeard) {
  let source = null;
  let timer = 0;

  function stop() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  function start() {
    if (source || document.hidden) return;
    source = new EventSource(address);
    source.addEventListener("open", () => onHeard({ live: true, missed: false }));
    for (const kind of ["hello", "resync"]) {
      source.addEventListener(kind, () => onHeard({ live: true, missed: true }));
    }
    for (const kind of ["listed", "changed", "status", "gone"]) {
      source.addEventListener(kind, (event) => {
        hear(kind, JSON.parse(event.data));
        onHeard({ live: true, missed: false });
      });
    }
    source.addEventListener("error", () => {
      onHeard({ live: false, missed: false });
      if (source?.readyState !== EventSource.CLOSED) return; // it tries again by itself
      stop();
      timer = setTimeout(start, RELISTEN_MS);
    });
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : start()));
  start();
}

function keepFresh(path, events) {
  let wait = POLL_MS;
  let timer = 0;
  let running = false;
  let isLive = false;
  let asked = Date.now();

  async function poll() {
    if (running || document.hidden) return;
    running = true;
    asked = Date.now();
    try {
      const nodes = await fetchNodes(path);
      nodes.forEach(show);
      forgetMissing(nodes);
      wait = isLive ? LIVE_POLL_MS : POLL_MS;
      tell(isLive ? say("as_it_happens") : say("every_ten_seconds"));
    } catch {
      wait = Math.min(wait * 2, SLOWEST_POLL_MS);
      tell(say("may_be_old"));
    }
    running = false;
    schedule();
  }

  function schedule() {
    clearTimeout(timer);
    if (document.hidden) return;
    // Jitter, so that tabs opened together don't stay together. A tab that comes back asks at
    // once if its wait is over, and no sooner however often it comes and goes.
    const due = asked + wait * (0.9 + Math.random() / 5) - Date.now();
    timer = setTimeout(poll, Math.max(0, due));
  }

  function onHeard({ live, missed }) {
    const changed = live !== isLive;
    isLive = live;
    if (missed) wait = 2_000; // all who listen hear it at once, and must not ask at once
    else if (changed) wait = live ? LIVE_POLL_MS : POLL_MS;
    if (missed || changed) schedule();
  }

  document.addEventListener("visibilitychange", schedule);
  schedule();
  if (events && "EventSource" in window) listen(events, onHeard);
}

function enableCopying() {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("button[data-copy]")) {
    const label = button.firstChild;
    const rest = label.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy).textContent;
      const copied = await navigator.clipboard.writeText(text).then(() => true, () => false);
      label.textContent = copied ? button.dataset.copied : button.dataset.failed;
      setTimeout(() => (label.textContent = rest), 2000);
    });
  }
}

/** Addresses worth sharing: empty fields stay out of the query string. */
function tidyQueries() {
  const form = document.querySelector("form.filters");
  form?.addEventListener("submit", () => {
    const empty = [...form.elements].filter((field) => field.name && !field.value);
    for (const field of empty) field.disabled = true;
    setTimeout(() => empty.forEach((field) => (field.disabled = false)));
  });
}

/** As many rigs as a comparison takes: what is over would only be left out there. */
function limitPicks() {
  const form = document.getElementById("picks");
  if (!form) return;
  const boxes = [...form.elements].filter((field) => field.type === "checkbox");
  function limit() {
    const isFull = boxes.filter((box) => box.checked).length >= Number(form.dataset.most);
    for (const box of boxes) box.disabled = isFull && !box.checked;
  }
  for (const box of boxes) box.addEventListener("change", limit);
  limit(); // a browser may remember what was ticked before
}

enableCopying();
limitPicks();
localiseOpenings();
tidyQueries();
setInterval(() => document.hidden || refreshAges(), 5_000);
const { refresh, events } = document.getElementById("main")?.dataset ?? {};
if (refresh) keepFresh(refresh, events);
