// The campaign's table: finding rows.
{
  const tools = byId("runs-tools"), find = byId("runs-find"), unexpected = byId("runs-unexpected");
  const rows = [...document.querySelectorAll("#runs-table tbody tr")].map((row) => ({ row, text: row.textContent.toLowerCase() }));
  const apply = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { row, text } of rows) {
      row.hidden = !(words.every((word) => text.includes(word)) && !(unexpected.checked && row.dataset.met === "true"));
      shown += row.hidden ? 0 : 1;
    }
    byId("runs-status").textContent = shown === rows.length ? "" : `${shown} of ${rows.length} runs`;
  };
  tools.hidden = false;
  find.addEventListener("input", apply);
  unexpected.addEventListener("change", apply);
  root.dataset.runs = rows.length;
}
root.dataset.ready = "true";
