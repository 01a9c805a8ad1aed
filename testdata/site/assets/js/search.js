// Hides the words of the glossary which do not contain what was typed.
const find = document.getElementById("find");
find.addEventListener("input", () => {
  const wanted = find.value.toLowerCase();
  for (const word of document.querySelectorAll("dt")) {
    const shown = (word.textContent + word.nextSibling.textContent).toLowerCase().includes(wanted);
    word.hidden = word.nextSibling.hidden = !shown;
  }
});
