"use strict";
// Figures name colours by token ("@meta"); one description serves both themes.
(() => {
  const page = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const plots = [...document.querySelectorAll("[data-figure]")];
  const drawn = new Set();
  const PAPER_WIDTH = 846; // of a plot; the style sheet zooms it to what A4 and letter have

  const asked = new URLSearchParams(location.search);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const named = asked.get("theme");
  let chosen = named === "light" || named === "dark" ? named : null;
  let onPaper = false;
  const theme = () => (onPaper ? "light" : chosen || (dark.matches ? "dark" : "light"));

  const coloured = (value) => {
    if (typeof value === "string" && value[0] === "@") return page.themes[theme()][value.slice(1)];
    if (Array.isArray(value)) return value.map(coloured);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, coloured(v)]));
    }
    return value;
  };
  const draw = async (plot) => {
    const figure = page.figures[plot.dataset.figure];
    const layout = coloured(figure.layout);
    layout.font = { ...layout.font, family: getComputedStyle(document.body).fontFamily };
    if (onPaper) layout.width = PAPER_WIDTH;
    if (!drawn.has(plot)) plot.replaceChildren();
    drawn.add(plot);
    await Plotly.react(plot, coloured(figure.data), layout, page.config);
    // The plot has its description as a label; its thousand parts say nothing.
    for (const part of plot.children) part.setAttribute("aria-hidden", "true");
    root.dataset.drawn = drawn.size;
  };
  const drawAll = () => Promise.all(plots.map(draw));

  const button = document.getElementById("theme");
  const show = () => {
    root.dataset.theme = theme();
    const other = theme() === "dark" ? "Light" : "Dark";
    button.textContent = other;
    button.setAttribute("aria-label", `Switch to the ${other.toLowerCase()} theme`);
    for (const plot of drawn) draw(plot);
  };
  button.addEventListener("click", () => {
    chosen = theme() === "dark" ? "light" : "dark";
    show();
  });
  dark.addEventListener("change", show);
  show();

  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting && !drawn.has(entry.target)) draw(entry.target);
    }
  }, { rootMargin: "700px" });
  for (const plot of plots) near.observe(plot);
  if (asked.get("draw") === "all") drawAll();

  // Paper is white and narrow, and nobody scrolls on it.
  const turn = (toPaper) => {
    if (onPaper === toPaper) return;
    onPaper = toPaper;
    root.dataset.theme = theme();
    if (toPaper) drawAll();
    else show();
  };
  const print = matchMedia("print");
  addEventListener("beforeprint", () => turn(true));
  addEventListener("afterprint", () => turn(false));
  print.addEventListener("change", () => turn(print.matches));

  // The entry of the contents that the reader is at: the last whose card has reached the top. The
  // last cards cannot get there; at the end of the page it is the one asked for, or the last.
  const entries = [...document.querySelectorAll(".contents a")];
  const cards = entries.map((entry) => document.getElementById(entry.hash.slice(1)));
  const top = (card) => card.getBoundingClientRect().top;
  const follow = () => {
    let here = cards.filter((card) => top(card) < innerHeight / 3).length - 1;
    if (scrollY + innerHeight >= root.scrollHeight - 2) {
      const wanted = cards.findIndex((card) => `#${card.id}` === location.hash);
      here = wanted >= here && top(cards[wanted]) < innerHeight ? wanted : cards.length - 1;
    }
    entries.forEach((entry, index) => {
      if (index === here) entry.setAttribute("aria-current", "true");
      else entry.removeAttribute("aria-current");
    });
  };
  if (entries.length) {
    let due = false;
    addEventListener("scroll", () => {
      if (due) return;
      due = true;
      requestAnimationFrame(() => { due = false; follow(); });
    }, { passive: true });
    addEventListener("hashchange", follow);
    follow();
  }

  for (const save of document.querySelectorAll("[data-save]")) {
    save.addEventListener("click", async () => {
      const plot = document.querySelector(`[data-figure="${save.dataset.of}"]`);
      if (!drawn.has(plot)) await draw(plot);
      await Plotly.downloadImage(plot, {
        format: save.dataset.save,
        filename: `metakd-${save.dataset.of}`,
        width: plot.clientWidth,
        height: plot.clientHeight,
        scale: save.dataset.save === "png" ? 2 : 1,
      });
    });
  }

  // Numbers with a plain minus; a text that a spreadsheet would run as a formula gets a quote.
  const field = (text) => {
    const number = text.replace("−", "-").replaceAll(",", "");
    if (/^[+-]?\d+(\.\d+)?$/.test(number)) return number.replace("+", "");
    const inert = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return `"${inert.replaceAll('"', '""')}"`;
  };
  const csvOf = (table) => {
    const head = [...table.tHead.rows].at(-1);
    const rows = [head, ...[...table.tBodies].flatMap((body) => [...body.rows])];
    return rows.map((row) => [...row.cells]
      .map((cell) => field((cell.dataset.head || cell.textContent).trim())).join(",")).join("\r\n");
  };
  for (const save of document.querySelectorAll("[data-csv]")) {
    save.addEventListener("click", () => {
      const table = document.querySelector(`[data-table="${save.dataset.csv}"]`);
      // The mark tells spreadsheets that this is UTF-8.
      const file = new Blob(["\ufeff", csvOf(table), "\r\n"], { type: "text/csv" });
      const link = document.createElement("a");
      link.href = URL.createObjectURL(file);
      link.download = `metakd-${save.dataset.csv}.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    });
  }

  for (const copy of document.querySelectorAll("[data-copy]")) {
    copy.addEventListener("click", async () => {
      const source = document.getElementById(copy.dataset.copy);
      try {
        await navigator.clipboard.writeText(source.textContent);
        copy.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(source);
        copy.textContent = "Selected";
      }
      setTimeout(() => { copy.textContent = "Copy"; }, 2000);
    });
  }
})();
