// Marks the year in the footer, and says so where a script could not run.
document.documentElement.classList.add("scripted");
document.querySelectorAll("footer p").forEach((p, i) => { if (i === 0) p.dataset.pages = String(document.links.length); });
