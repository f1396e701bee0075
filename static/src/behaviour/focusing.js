// An error summary takes the focus; a page that htmx has exchanged gives it to its heading.

export function focusing(root) {
  const summary = root.querySelector(".error-summary");
  const here = document.activeElement;
  if (summary) summary.focus();
  else if (here !== document.body && root.contains(here)) {
    return; // a page that comes again by itself takes nobody away from where they are
  } else if (root !== document && root.querySelector("main h1")) {
    const heading = root.querySelector("main h1");
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
}
