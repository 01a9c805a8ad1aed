// Draws the stars of data/stars.json on a canvas: x and y in thousandths, brightness 1 to 5.
async function sky(canvas) {
  const stars = await (await fetch(canvas.dataset.source)).json();
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#0b1026";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = "#fffbe6";
  for (const [x, y, b] of stars) {
    pen.beginPath();
    pen.arc(x / 1000 * canvas.width, y / 1000 * canvas.height, b / 2, 0, 7);
    pen.fill();
  }
}
document.querySelectorAll("canvas[data-source]").forEach(sky);
