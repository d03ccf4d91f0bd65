"use strict";
// Text goes into the page by textContent and dataset only, never as HTML.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // ---- Light and dark -------------------------------------------------------------
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const showTheme = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  const remember = (act) => { try { return act(localStorage); } catch { return null; } };
  const saved = remember((store) => store.getItem("skbird-theme"));
  if (saved === "light" || saved === "dark") root.dataset.theme = saved;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remember((store) => store.setItem("skbird-theme", root.dataset.theme));
    showTheme();
  });
  system.addEventListener("change", showTheme);
  showTheme();

  // ---- Sort and search: tables and clips alike ----------------------------------------
  const collator = new Intl.Collator(undefined, { numeric: true });
  const isNumber = (text) => text !== "" && !Number.isNaN(Number(text));
  const compare = (a, b, sign) => {
    if (a === "" || b === "") return (a === "") - (b === ""); // unknown comes last
    if (isNumber(a) && isNumber(b)) return sign * (Number(a) - Number(b));
    return sign * collator.compare(a, b);
  };
  const sortItems = (items, key, sign) => {
    const keyed = items.map((item) => [key(item), item]);
    keyed.sort((a, b) => compare(a[0], b[0], sign));
    items[0]?.parentNode.append(...keyed.map((pair) => pair[1]));
  };
  const valueOf = (cell) => cell.dataset.value ?? cell.textContent;

  for (const table of all("table")) {
    for (const [column, header] of all("thead th", table).entries()) {
      header.querySelector("button").addEventListener("click", () => {
        const old = header.getAttribute("aria-sort");
        // Numbers are mostly wanted from the top.
        const first = header.dataset.kind === "number" ? "descending" : "ascending";
        const other = first === "ascending" ? "descending" : "ascending";
        const order = old === first ? other : first;
        for (const one of all("thead th", table)) one.removeAttribute("aria-sort");
        header.setAttribute("aria-sort", order);
        const key = (row) => valueOf(row.cells[column]);
        sortItems(all("tbody tr", table), key, order === "ascending" ? 1 : -1);
      });
    }
  }

  for (const section of all("[data-list]")) {
    const items = () => all("tbody tr, li.clip", section);
    const search = section.querySelector("input[type=search]");
    const kind = section.querySelector("select.kind");
    const order = section.querySelector("select.order");
    const count = section.querySelector(".count");
    if (!search) continue;
    const texts = new Map(items().map((item) => [
      item, (item.dataset.text ?? item.textContent).toLowerCase()]));
    const total = texts.size;
    const filter = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const [item, text] of texts) {
        const fits = words.every((word) => text.includes(word))
          && (!kind?.value || item.dataset.kind === kind.value);
        item.hidden = !fits;
        shown += fits;
      }
      count.textContent = `${shown} of ${total} shown`;
    };
    search.addEventListener("input", filter);
    kind?.addEventListener("change", filter);
    order?.addEventListener("change", () => {
      const [name, sign] = order.value.split(" ");
      sortItems(items(), (item) => item.dataset[name] ?? "", Number(sign));
    });
    filter(); // a reloaded page may keep what was typed
  }

  // ---- Clips: bytes become pictures and sound when they are wanted --------------------
  const address = (id) => {
    const store = document.getElementById(id);
    const text = atob(store.textContent);
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    return URL.createObjectURL(new Blob([bytes], { type: store.dataset.type }));
  };
  const showImage = (image) => {
    if (!image.getAttribute("src")) image.src = address(image.dataset.store);
  };
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watcher.unobserve(entry.target);
      showImage(entry.target);
    }
  }, { rootMargin: "400px" });
  for (const image of all("img[data-store]")) watcher.observe(image);
  addEventListener("beforeprint", () => all("img[data-store]").forEach(showImage));

  let playing = null;
  for (const play of all("button.play")) {
    play.addEventListener("click", () => {
      const audio = document.createElement("audio");
      audio.controls = true;
      audio.setAttribute("aria-label", play.getAttribute("aria-label"));
      audio.addEventListener("play", () => {
        if (playing && playing !== audio) playing.pause();
        playing = audio;
      });
      audio.addEventListener("error", () => {
        const note = document.createElement("p");
        note.textContent = "This browser cannot play the clip.";
        audio.replaceWith(note);
      });
      audio.src = address(play.dataset.store);
      play.replaceWith(audio);
      audio.focus();
      audio.play().catch(() => {}); // the player stays, to be started by hand
    });
  }
})();
