"use strict";
// Figures name colours by token ("@meta"); one description serves both themes.
(() => {
  const page = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const plots = [...document.querySelectorAll("[data-figure]")];
  const drawn = new Set();

  const theme = () => root.dataset.theme;
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
    await Plotly.react(plot, coloured(figure.data), coloured(figure.layout), page.config);
    drawn.add(plot);
    root.dataset.drawn = drawn.size;
  };
  const drawAll = () => Promise.all(plots.filter((plot) => !drawn.has(plot)).map(draw));

  const wanted = new URLSearchParams(location.search);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = wanted.get("theme") || (dark ? "dark" : "light");
  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = theme() === "dark" ? "light" : "dark";
    [...drawn].forEach(draw);
  });

  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting && !drawn.has(entry.target)) draw(entry.target);
    }
  }, { rootMargin: "700px" });
  plots.forEach((plot) => near.observe(plot));
  addEventListener("beforeprint", drawAll);
  if (wanted.get("draw") === "all") drawAll();

  for (const button of document.querySelectorAll("[data-save]")) {
    button.addEventListener("click", async () => {
      const plot = document.querySelector(`[data-figure="${button.dataset.of}"]`);
      if (!drawn.has(plot)) await draw(plot);
      Plotly.downloadImage(plot, {
        format: button.dataset.save,
        filename: `metakd-${button.dataset.of}`,
        width: plot.clientWidth,
        height: plot.clientHeight,
        scale: button.dataset.save === "png" ? 2 : 1,
      });
    });
  }
})();
