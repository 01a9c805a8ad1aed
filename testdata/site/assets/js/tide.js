// Fills tables and sections that name a tide table as their source.
async function tides() {
  for (const place of document.querySelectorAll("[data-source$='tides.json']")) {
    const table = await (await fetch(place.dataset.source)).json();
    const rows = table.days.map(d => `<tr><th>${d.day}</th><td>${d.high.join(", ")}</td><td>${d.low.join(", ")}</td></tr>`);
    place.insertAdjacentHTML("beforeend", `<table><tr><th></th><th>high</th><th>low</th></tr>${rows.join("")}</table>`);
    place.querySelector(".loading")?.remove();
  }
}
tides();
