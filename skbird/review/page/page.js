"use strict";
// Text goes into the page by textContent and value only, never as HTML.
(() => {
  const byId = (id) => document.getElementById(id);
  const texts = window.TEXTS;
  const say = (name, values = {}) =>
    texts[name].replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = say(element.dataset.text);
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", say(element.dataset.label));
  }
  byId("note").placeholder = say("notePlaceholder");
  document.title = say("title");

  const TOPS_KHZ = ["", 24, 16, 12, 8, 4, 2];
  const player = byId("player");
  let current = null; // the detection that is shown
  let seen = []; // numbers of those before it
  let unknown = null; // a name that no prediction has, asked about once
  const notes = new Map(); // by number, for what is taken back
  let busy = false;

  // ---- Server -----------------------------------------------------------------------
  const ask = async (path, sent) => {
    let answer;
    try {
      answer = await fetch(path, sent === undefined ? {} : {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(sent),
      });
    } catch {
      throw new Error(say("unreachable"));
    }
    const found = await answer.json();
    if (!answer.ok) throw new Error(found.error);
    return found;
  };
  const complain = (name, error) => {
    byId("trouble").textContent = say(name, { error: error?.message });
    byId("trouble").hidden = false;
  };
  // Does one thing at a time; what fails is said, and the clip stays.
  const act = async (work, trouble = "failed") => {
    if (busy) return;
    busy = true;
    byId("trouble").hidden = true;
    try {
      await work();
    } catch (error) {
      complain(trouble, error);
    } finally {
      busy = false;
    }
  };

  // ---- The clip ---------------------------------------------------------------------
  const view = () => {
    const khz = byId("top").value;
    return { around_s: byId("around").value, top_hz: khz && 1000 * khz };
  };
  const query = (values) => {
    const given = Object.entries(values).filter(([, value]) => value !== "" && value != null);
    return new URLSearchParams(given).toString();
  };
  const put = (id, text) => { byId(id).textContent = text || say("unknown"); };
  const ticks = (place, from, to, most, label, put) => {
    const rough = (to - from) / most;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
    place.replaceChildren();
    for (let k = Math.ceil(from / step - 1e-9); k * step <= to + 1e-9; k += 1) {
      const tick = document.createElement("span");
      tick.textContent = label(Number((k * step).toPrecision(6)));
      put(tick.style, (k * step - from) / (to - from));
      place.append(tick);
    }
  };
  const percent = (share) => `${100 * Math.min(Math.max(share, 0), 1)}%`;

  const drawMark = ({ start, end, low_hz, high_hz, clip }) => {
    const along = (seconds) => (seconds - clip.start_s) / (clip.end_s - clip.start_s);
    const isBox = low_hz !== null && high_hz !== null && high_hz > low_hz;
    const mark = byId("mark");
    mark.className = isBox ? "box" : "";
    mark.style.left = percent(along(start));
    mark.style.right = percent(1 - along(end ?? clip.end_s));
    mark.style.top = percent(isBox ? 1 - high_hz / clip.top_hz : 0);
    mark.style.bottom = percent(isBox ? low_hz / clip.top_hz : 0);
    mark.hidden = false;
  };
  const silence = () => {
    player.removeAttribute("src");
    player.load(); // else it plays on
  };
  const drawClip = (found) => {
    const { clip } = found;
    const isThere = clip.error === undefined;
    byId("silent").hidden = isThere && !clip.is_cut;
    byId("silent").textContent = isThere ? say("onlyBegin", { end: clip.end_s.toFixed(0) })
      : say("noSound", { error: clip.error });
    for (const id of ["player", "picture"]) byId(id).hidden = !isThere;
    byId("cursor").hidden = true;
    byId("mark").hidden = true;
    silence();
    byId("khz").replaceChildren();
    byId("seconds").replaceChildren();
    if (!isThere) return;
    const address = `/clip/${found.number}`;
    const seconds = (clip.end_s - clip.start_s).toFixed(1);
    const top = Number((clip.top_hz / 1000).toPrecision(3));
    byId("picture").src = `${address}/picture.png?${query(view())}`;
    byId("picture").alt = say("picture", { top, seconds });
    player.src = `${address}/sound.wav?${query(view())}`;
    drawMark(found);
    ticks(byId("khz"), 0, top, 6, String, (style, share) => { style.top = percent(1 - share); });
    const narrow = byId("seconds").clientWidth < 500;
    ticks(byId("seconds"), clip.start_s, clip.end_s, narrow ? 5 : 10,
      (value) => `${value} ${say("seconds")}`,
      (style, share) => {
        style.left = percent(share);
        if (share < 0.02) style.transform = "none"; // not beyond the picture
        if (share > 0.98) style.transform = "translateX(-100%)";
      });
    if (byId("autoplay").checked) player.play().catch(() => {}); // else by hand
  };
  const show = (found) => {
    current = found;
    byId("clip").hidden = found === null;
    byId("done").hidden = found !== null;
    if (found === null) {
      silence();
      return;
    }
    byId("species").textContent = say("question", found);
    put("probability", found.probability.toPrecision(3));
    put("site", found.site);
    put("time", found.time);
    put("file", found.file);
    const end = found.end === null ? "" : Number(found.end.toFixed(2));
    put("stretch", `${Number(found.start.toFixed(2))}–${end}`);
    byId("note").value = found.said?.note ?? "";
    byId("otherSpecies").value = "";
    byId("said").hidden = found.said === null;
    if (found.said !== null) {
      const { judgement, other_species, reviewer, time, note } = found.said;
      const told = other_species ?? say(judgement);
      const lines = [say("saidBefore", {
        judgement: told, reviewer, time: time.slice(0, 19).replace("T", " ") })];
      if (note) lines.push(say("saidNote", { note }));
      byId("said").textContent = lines.join(". ");
    }
    drawClip(found);
  };

  // ---- Moves ------------------------------------------------------------------------
  const asked = () => ({
    strategy: byId("strategy").value,
    species: byId("filterSpecies").value,
    site: byId("filterSite").value,
    first_date: byId("firstDate").value,
    last_date: byId("lastDate").value,
    min_proba: byId("minProba").value,
    max_proba: byId("maxProba").value,
    reviewer: byId("reviewer").value.trim(),
  });
  const goOn = async (after) => {
    show(await ask(`/api/next?${query({ ...asked(), ...view(), after })}`));
    showProgress();
  };
  const goTo = async (number) => show(await ask(`/api/detection/${number}?${query(view())}`));
  const leave = () => { if (current) seen.push(current.number); };

  const judge = (judgement, other = null) => act(async () => {
    if (!current) return;
    const reviewer = byId("reviewer").value.trim();
    if (!reviewer) {
      byId("reviewer").focus();
      throw new Error(say("reviewerNeeded"));
    }
    const { number, species } = current;
    const note = byId("note").value;
    await ask("/api/judge", { number, judgement, reviewer, other_species: other, note });
    const stored = other === null ? say("stored", { judgement: say(judgement), species })
      : say("storedOther", { other, species });
    byId("status").textContent = stored;
    notes.set(number, note);
    if (document.activeElement.matches("input")) document.activeElement.blur();
    leave();
    try {
      await goOn(number);
      if (current) byId("status").textContent = `${stored} ${say("next", current)}`;
    } catch (error) {
      current = null; // it is stored: it must not be judged once more by mistake
      complain("failed", error);
    }
  }, "notStored");
  const undo = () => act(async () => {
    const reviewer = byId("reviewer").value.trim();
    if (!reviewer) throw new Error(say("reviewerNeeded"));
    const { number } = await ask("/api/undo", { reviewer });
    byId("status").textContent = say(number === null ? "nothingToUndo" : "undone");
    if (number === null) return;
    seen = seen.filter((one) => one !== number);
    await goTo(number);
    byId("note").value = notes.get(number) ?? "";
    showProgress();
  });
  const skip = () => act(async () => {
    const after = current?.number;
    leave();
    byId("status").textContent = "";
    await goOn(after);
  });
  const back = () => act(async () => {
    byId("status").textContent = "";
    if (seen.length) await goTo(seen.pop());
  });
  const redraw = () => act(async () => { if (current) await goTo(current.number); });
  const restart = () => act(async () => { await goOn(); });

  // ---- Progress ---------------------------------------------------------------------
  const rows = new Map();
  const newRow = (species) => {
    const row = document.createElement("tr");
    const only = document.createElement("button");
    only.type = "button";
    only.textContent = species;
    only.setAttribute("aria-label", say("onlyThis", { species }));
    only.addEventListener("click", () => {
      byId("filterSpecies").value = species;
      restart();
    });
    row.insertCell().append(only);
    for (let k = 0; k < 4; k += 1) row.insertCell();
    rows.set(species, row);
    return row;
  };
  const showProgress = async () => {
    let lines;
    try {
      lines = await ask("/api/progress");
    } catch {
      return; // the next judgement says so
    }
    if (!rows.size) {
      const most = [...lines].sort((a, b) => b.n_chosen - a.n_chosen);
      byId("progress").append(...most.map((line) => newRow(line.species)));
    }
    let done = 0;
    let chosen = 0;
    for (const line of lines) {
      const own = line.n_chosen - line.n_left;
      done += own;
      chosen += line.n_chosen;
      const cells = [say("doneOf", { done: own, chosen: line.n_chosen }),
        line.yes, line.no + line.other, line.uncertain];
      cells.forEach((text, k) => { rows.get(line.species).cells[k + 1].textContent = text; });
    }
    byId("count").textContent = say("progressCount", { done, chosen });
  };

  // ---- Controls ---------------------------------------------------------------------
  const option = (value, text) => {
    const made = document.createElement("option");
    made.value = value;
    made.textContent = text;
    return made;
  };
  const remember = (work) => { try { return work(localStorage); } catch { return null; } };

  for (const name of ["yes", "no", "uncertain"]) {
    byId(name).addEventListener("click", () => judge(name));
  }
  byId("other").addEventListener("submit", (event) => {
    event.preventDefault();
    const other = byId("otherSpecies").value.trim();
    const isKnown = [...byId("names").options].some((name) => name.value === other);
    if (other && (isKnown || other === unknown)) judge("other", other);
    else act(() => { throw new Error(say(other ? "otherUnknown" : "otherNeeded", { other })); });
    unknown = other;
  });
  byId("undo").addEventListener("click", undo);
  byId("skip").addEventListener("click", skip);
  byId("back").addEventListener("click", back);
  for (const id of ["around", "top"]) byId(id).addEventListener("change", redraw);
  const filters = ["strategy", "filterSpecies", "filterSite", "firstDate", "lastDate",
    "minProba", "maxProba"];
  for (const id of filters) byId(id).addEventListener("change", restart);
  byId("clear").addEventListener("click", () => {
    for (const id of filters.slice(1)) byId(id).value = "";
    restart();
  });
  byId("reviewer").addEventListener("change", () => {
    remember((store) => store.setItem(byId("reviewer").dataset.key, byId("reviewer").value));
  });

  const playOrPause = () => {
    if (player.paused) player.play().catch(() => {});
    else player.pause();
  };
  const choose = (id, place) => {
    if (place < 0 || place >= byId(id).length) return;
    byId(id).selectedIndex = place;
    redraw();
  };
  const turn = (id, steps) => choose(id, byId(id).selectedIndex + steps);
  const lowerTop = () => choose("top", TOPS_KHZ.findIndex(
    (khz) => khz && 1000 * khz < current?.clip.top_hz));
  const KEYS = {
    y: () => judge("yes"),
    n: () => judge("no"),
    u: () => judge("uncertain"),
    o: () => byId("otherSpecies").focus(),
    m: () => byId("note").focus(),
    z: undo,
    s: skip,
    b: back,
    " ": playOrPause,
    "+": lowerTop,
    "-": () => turn("top", -1),
    "[": () => turn("around", -1),
    "]": () => turn("around", 1),
  };
  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const isField = target.matches("input:not([type=checkbox]), select, textarea");
    const isLeft = key === "Escape" || (key === "Enter" && target.id !== "otherSpecies");
    if (isLeft && isField) target.blur();
    if (isField) return;
    if (key === " " && target.matches("button, summary, input, audio")) return; // their own key
    const work = KEYS[key.toLowerCase()];
    if (!work) return;
    event.preventDefault();
    work();
  });

  byId("frame").addEventListener("click", (event) => {
    if (!player.duration) return;
    const { left, width } = byId("frame").getBoundingClientRect();
    player.currentTime = player.duration * ((event.clientX - left) / width);
    player.play().catch(() => {});
  });
  const follow = () => {
    const cursor = byId("cursor");
    cursor.hidden = !player.duration;
    if (player.duration) cursor.style.left = percent(player.currentTime / player.duration);
    if (!player.paused) requestAnimationFrame(follow);
  };
  for (const name of ["play", "seeked"]) player.addEventListener(name, follow);

  // ---- Start ------------------------------------------------------------------------
  history.replaceState(null, "", "/"); // the token is in a cookie now
  act(async () => {
    const session = await ask("/api/session");
    document.title = `${say("title")}: ${session.file}`;
    const names = { top: "topStrategy", uncertain: "uncertainStrategy" };
    byId("strategy").append(...session.strategies.map((s) => option(s, say(names[s] ?? s))));
    byId("strategy").value = session.strategy;
    byId("filterSpecies").append(
      option("", say("allSpecies")), ...session.species.map((s) => option(s, s)));
    byId("filterSite").append(
      option("", say("allSites")), ...session.sites.map((s) => option(s, s)));
    byId("names").append(...session.species.map((s) => option(s, s)));
    byId("around").append(...session.around_s.map((s) => option(s, s)));
    byId("around").value = "2";
    byId("top").append(...TOPS_KHZ.map(
      (khz) => option(khz, khz ? say("topOne", { khz }) : say("topAll"))));
    for (const id of ["firstDate", "lastDate"]) {
      [byId(id).min, byId(id).max] = session.dates.length ? session.dates : ["", ""];
    }
    const key = `skbird-reviewer-${session.reviewer}`; // a name that is given anew counts
    byId("reviewer").dataset.key = key;
    byId("reviewer").value = remember((store) => store.getItem(key)) || session.reviewer;
    if (matchMedia("(max-width: 60rem)").matches) byId("filters").open = false;
    await goOn();
  });
})();
