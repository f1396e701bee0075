// Counts down to the moment in <time data-counts-down datetime="…">, then shows what [data-counts-for] hid behind it.

export function counting(root) {
  for (const clock of root.querySelectorAll("[data-counts-down]")) {
    const part = clock.closest("[data-counting]");
    const end = Date.now() + 1000 * Number(clock.dataset.countsDown); // seconds left by the server's clock, not ours
    const tick = () => {
      const left = Math.ceil((end - Date.now()) / 1000);
      if (!clock.isConnected) return;
      if (left <= 0) {
        part.querySelector("[data-until]").hidden = true;
        part.querySelector("[data-then]").hidden = false;
        return;
      }
      clock.textContent = clock.dataset.words.replace("{seconds}", left);
      setTimeout(tick, 1000);
    };
    part.querySelector("[data-then]").hidden = true;
    part.querySelector("[data-until]").hidden = false;
    tick();
  }
}
