// A run's page: put the pieces together.
{
  const data = readData();
  root.dataset.operations = data.count;
  if (byId("lanes") && data.count > 0) {
    drawTimeline(data);
    if (byId("plots")) drawPlots(data);
  }
  // A link to an anomaly opens it.
  const unfold = () => {
    const target = location.hash.length > 1 && byId(location.hash.slice(1));
    if (target instanceof HTMLDetailsElement) target.open = true;
  };
  addEventListener("hashchange", unfold);
  unfold();
  root.dataset.ready = "true";
}
