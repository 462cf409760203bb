"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector) => Array.from(document.querySelectorAll(selector));

  // Theme: the system's, unless the reader chose one; the choice is kept where the browser lets us keep it.
  const theme = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const kept = () => { try { return localStorage.getItem("report-theme"); } catch { return null; } };
  const keep = (value) => { try { localStorage.setItem("report-theme", value); } catch { /* not kept */ } };
  const current = () => root.dataset.theme || (system.matches ? "dark" : "light");
  const label = () => {
    const other = current() === "dark" ? "Light" : "Dark";
    theme.querySelector(".word").textContent = other;
    theme.setAttribute("aria-label", `Switch to the ${other.toLowerCase()} theme`);
  };
  const saved = kept();
  if (saved === "dark" || saved === "light") root.dataset.theme = saved;
  theme.addEventListener("click", () => {
    root.dataset.theme = current() === "dark" ? "light" : "dark";
    keep(root.dataset.theme);
    label();
  });
  system.addEventListener("change", label);
  label();

  // Filter: every word has to occur; endpoints and failing pairs follow the same words.
  const field = document.getElementById("filter");
  if (field) {
    const count = document.getElementById("count");
    const none = document.getElementById("none");
    const buttons = all("[data-show]");
    const rows = all(".endpoint");
    const pairs = all(".pair");
    let show = "all";
    const apply = () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      const fits = (element) => words.every((word) => element.dataset.search.includes(word));
      let visible = 0;
      for (const row of rows) {
        row.hidden = !(fits(row) && (show === "all" || row.dataset.state === show));
        if (!row.hidden) visible += 1;
      }
      for (const pair of pairs) pair.hidden = !fits(pair);
      none.hidden = visible > 0;
      count.textContent = words.length || show !== "all" ? `${visible} of ${rows.length}` : "";
    };
    field.addEventListener("input", apply);
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { field.value = ""; apply(); }
    });
    for (const button of buttons) {
      button.addEventListener("click", () => {
        show = button.dataset.show;
        for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
        apply();
      });
    }
    document.addEventListener("keydown", (event) => {
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
      if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) { event.preventDefault(); field.focus(); }
    });
  }

  // From an endpoint to its first failing pair.
  for (const link of all("[data-goto]")) {
    link.addEventListener("click", (event) => {
      const pair = all(".pair").find((p) => p.dataset.endpoint === link.dataset.goto);
      if (!pair) return;
      event.preventDefault();
      pair.hidden = false;
      pair.open = true;
      pair.scrollIntoView();
      pair.querySelector("summary").focus({ preventScroll: true });
    });
  }

  // Paper has no buttons: what differs is opened for printing and closed again afterwards.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all(".pair:not([open]), .misses details:not([open])");
    for (const element of opened) element.open = true;
  });
  addEventListener("afterprint", () => {
    for (const element of opened) element.open = false;
    opened = [];
  });
})();
