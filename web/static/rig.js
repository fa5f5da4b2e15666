// A rig's opening hours on the reader's own clock: the next seven days, from the windows that the
// page shows on the rig's. Asks nobody, keeps nothing.

const WEEK = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const DAYS = 7;
const MINUTE = 60_000;
const DAY = 1440 * MINUTE;

/** What a clock in that zone shows at an instant, as if it were UTC: milliseconds. */
function wallClock(at, format) {
  const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute);
}

/** When a clock shows a time; where it skips that one, an instant beside the jump. */
function instantOf(wall, format) {
  const guess = wall - (wallClock(wall, format) - wall);
  return guess - (wallClock(guess, format) - wall);
}

function minutesOf(clock) {
  const [hours, minutes] = clock.split(":").map(Number);
  return hours * 60 + minutes;
}

/** When a rig is open in the days around now: [from, to] in order, joined where they touch. */
function spansOf(windows, zone, now) {
  const numbers = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric" };
  const format = new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", ...numbers });
  const today = Math.floor(wallClock(now, format) / DAY) * DAY;
  const found = [];
  for (let day = -1; day <= DAYS; day += 1) {
    const midnight = today + day * DAY;
    for (const { days, opens, closes } of windows) {
      if (!days.includes(WEEK[new Date(midnight).getUTCDay()])) continue;
      const length = closes <= opens ? closes + 1440 : closes;
      found.push([midnight + opens * MINUTE, midnight + length * MINUTE].map((wall) => instantOf(wall, format)));
    }
  }
  found.sort(([a], [b]) => a - b);
  const joined = [];
  for (const [from, to] of found) {
    const last = joined.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else joined.push([from, to]);
  }
  return joined.filter(([from, to]) => to > now && from < now + DAYS * DAY);
}

function showLocalHours(list, zone, box) {
  const windows = [...list.querySelectorAll("[data-days]")].map(({ dataset }) => ({
    days: dataset.days.split(" "),
    opens: minutesOf(dataset.opens),
    closes: minutesOf(dataset.closes),
  }));
  const language = document.documentElement.lang;
  const clock = { weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const format = new Intl.DateTimeFormat(language, clock);
  const spans = spansOf(windows, zone, Date.now());
  const lines = spans.map(([from, to]) => {
    const line = document.createElement("li");
    line.textContent = `${format.format(from)} – ${format.format(to)}`;
    return line;
  });
  const title = box.querySelector("h3");
  title.textContent = title.textContent.replace("{zone}", format.resolvedOptions().timeZone);
  box.querySelector("ul").replaceChildren(...lines);
  box.hidden = lines.length === 0;
}

const list = document.querySelector("[data-hours]");
const box = document.querySelector("[data-local-hours]");
const zone = document.querySelector("[data-zone]")?.textContent;
try {
  if (list && box && zone) showLocalHours(list, zone, box);
} catch (error) {
  // A zone that this browser doesn't know: the rig's own clock stands there anyway.
  if (!(error instanceof RangeError)) throw error;
}
