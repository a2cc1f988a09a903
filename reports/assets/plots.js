// Latency and rate over time, with fault bands behind: uPlot.
function drawPlots(data) {
  const { series, columns } = data;
  const latencyBox = byId("latency-plot"), rateBox = byId("rate-plot");
  const times = Array.from({ length: series.slices }, (_, slice) => ((slice + 0.5) * series.slice_us) / 1e6);
  const functions = Object.keys(series.latencies);
  let shown = functions.includes("write") ? "write" : functions[0];
  let plots = [];

  const functionNames = Array.from({ length: data.count }, (_, i) => functionOf(data, i));

  function bands(u) {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const fault of data.faults) {
      const from = u.valToPos(fault.from_us / 1e6, "x", true), to = u.valToPos(fault.to_us / 1e6, "x", true);
      ctx.fillStyle = colour("fault");
      ctx.fillRect(from, bbox.top, Math.max(to - from, 1), bbox.height);
      ctx.fillStyle = colour("fault-edge");
      ctx.fillRect(from, bbox.top, Math.max(to - from, 1), 2 * devicePixelRatio);
    }
    ctx.restore();
  }

  function points(u) {
    if (!byId("latency-points").checked) return;
    const { ctx, bbox } = u;
    const { min, max } = u.scales.x, few = data.count < 3000, size = devicePixelRatio * (few ? 4 : 1.6);
    // A sample that stays readable; quantiles above are of all.
    const step = Math.max(1, Math.floor(data.count / 20000));
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.globalAlpha = few ? 0.6 : 0.28;
    ctx.fillStyle = colour(hueOf(shown));
    let drawn = 0;
    for (let i = 0; i < data.count; i += step) {
      if (functionNames[i] !== shown || columns.outcome[i] !== 0) continue;
      const at = data.completed[i] / 1e6;
      if (at < min || at > max) continue;
      const x = u.valToPos(at, "x", true), y = u.valToPos(Math.max(columns.took[i], 1) / 1e3, "y", true);
      ctx.fillRect(x - size / 2, y - size / 2, size, size);
      drawn++;
    }
    ctx.restore();
    root.dataset.points = drawn;
  }

  const axis = (extra) => ({ stroke: colour("muted"), grid: { stroke: colour("rule"), width: 1 }, ticks: { stroke: colour("rule"), width: 1, size: 4 }, font: `12px ${getComputedStyle(document.body).fontFamily}`, ...extra });
  const shared = (box, height) => ({
    width: Math.max(box.clientWidth, 200),
    height,
    cursor: { sync: { key: "run" }, points: { size: 6 }, drag: { x: true, y: false } },
    legend: { live: true, markers: { width: 2, fill: () => "transparent", dash: (u, i) => ["solid", "solid", "dashed", "dotted"][i] } },
  });
  const xAxis = () => axis({ size: 34, values: (_, ticks) => ticks.map((tick) => `${tick} s`) });

  const decades = (_, ticks) => ticks.map((tick) => (Math.abs(Math.log10(tick) - Math.round(Math.log10(tick))) < 1e-9 ? tick : null));

  function build() {
    const zoom = plots[0] && { min: plots[0].scales.x.min, max: plots[0].scales.x.max };
    plots.forEach((plot) => plot.destroy());
    plots = [];
    const whole = [0, Math.max(data.end_us / 1e6, 1e-3)];
    let busy = false;
    const together = (u, key) => {
      if (key !== "x" || busy) return;
      busy = true;
      const { min, max } = u.scales.x;
      for (const other of plots) if (other !== u && (other.scales.x.min !== min || other.scales.x.max !== max)) other.setScale("x", { min, max });
      busy = false;
    };
    const scales = { x: { time: false, range: (_, min, max) => (min === null || min === max ? whole : [min, max]) } };
    if (shown) {
      const quantiles = series.latencies[shown];
      // Where few slices have a value, a line alone would show nothing.
      const sparse = quantiles.p50.filter((ms) => ms !== null).length < 40;
      const line = (label, dash, width) => ({ label, stroke: colour("ink"), width, dash, spanGaps: false, points: { show: sparse, size: 4 }, value: (_, ms) => (ms === null ? "–" : duration(Math.round(ms * 1000))) });
      plots.push(new uPlot({
        ...shared(latencyBox, 260),
        scales: { ...scales, y: { distr: 3, range: (_, min, max) => (min === null ? [0.1, 100] : [10 ** Math.floor(Math.log10(Math.max(min, 1e-3) * 0.999)), 10 ** Math.ceil(Math.log10(max * 1.001))]) } },
        axes: [xAxis(), axis({ size: 62, filter: decades, grid: { stroke: colour("rule"), width: 1, filter: decades }, ticks: { show: false }, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : `${tick}`)) })],
        series: [{ label: "time", value: (_, at) => (at === null ? "–" : `${at.toFixed(2)} s`) }, line("p50", [], 2.4), line("p95", [8, 4], 1.5), line("p99", [2, 3], 1.5)],
        hooks: { drawClear: [bands, points], setScale: [together] },
      }, [times, quantiles.p50, quantiles.p95, quantiles.p99], latencyBox));
    } else {
      latencyBox.textContent = "No operation succeeded.";
    }
    const rate = (label, name, dash, width) => ({ label, stroke: colour(name), width, dash, points: { show: series.slices < 20, size: 4 }, value: (_, rate) => (rate === null ? "–" : `${grouped(+rate.toFixed(1))} /s`) });
    plots.push(new uPlot({
      ...shared(rateBox, 220),
      scales: { ...scales, y: { range: (_, min, max) => [0, Math.max(max * 1.08, 1)] } },
      axes: [xAxis(), axis({ size: 62 })],
      series: [{ label: "time", value: (_, at) => (at === null ? "–" : `${at.toFixed(2)} s`) }, rate("ok", "valid", [], 2.2), rate("fail", "invalid", [7, 4], 1.8), rate("info", "info", [2, 3], 1.8)],
      hooks: { drawClear: [bands], setScale: [together] },
    }, [times, series.rates.ok, series.rates.fail, series.rates.info], rateBox));
    if (zoom && (zoom.min !== whole[0] || zoom.max !== whole[1])) plots.forEach((plot) => plot.setScale("x", zoom));
    else plots.forEach((plot) => plot.setScale("x", { min: whole[0], max: whole[1] }));
    root.dataset.plots = plots.length;
  }

  const tabs = byId("latency-functions");
  for (const name of functions) {
    const button = tabs.appendChild(document.createElement("button"));
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", () => { shown = name; press(); build(); });
  }
  const press = () => [...tabs.children].forEach((tab) => tab.setAttribute("aria-pressed", tab.textContent === shown));
  press();
  byId("latency-tools").hidden = functions.length === 0;
  byId("latency-points").addEventListener("change", () => plots[0]?.redraw());
  build();
  onRecolour.push(build);
  new ResizeObserver(() => {
    for (const plot of plots) {
      const width = plot.root.parentElement.clientWidth;
      if (width > 0 && Math.abs(width - plot.width) > 1) plot.setSize({ width, height: plot.height });
    }
  }).observe(rateBox);
}
