// A file dropped on [data-drop] lands in its file field; a small text file shows in the text field as well,
// so that the person sees what will be sent.  Only one of the two is sent: a shown text empties the file field.

const SMALL = 64 * 1024;

export function dropping(root) {
  for (const zone of root.querySelectorAll("[data-drop]")) {
    const file = zone.querySelector("input[type=file]");
    const text = zone.querySelector("textarea");
    zone.addEventListener("dragover", (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      zone.dataset.over = "";
    });
    zone.addEventListener("dragleave", (event) => {
      if (!zone.contains(event.relatedTarget)) delete zone.dataset.over;
    });
    zone.addEventListener("drop", (event) => {
      delete zone.dataset.over;
      if (!event.dataTransfer.files.length) return;
      event.preventDefault();
      file.files = event.dataTransfer.files;
      file.dispatchEvent(new Event("change", { bubbles: true }));
    });
    file.addEventListener("change", async () => {
      const chosen = file.files[0];
      if (!text || !chosen || chosen.size > SMALL) return;
      const content = await chosen.text();
      if (!content.includes("-----BEGIN")) return; // binary: the server reads it
      text.value = content;
      file.value = "";
      text.dispatchEvent(new Event("input", { bubbles: true }));
      text.focus();
    });
  }
}
