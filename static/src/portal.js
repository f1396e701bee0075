// What script adds.  Every page works without it; here it copies, accepts dropped files, remembers the theme,
// moves the focus to a problem, counts down, and offers to make a key.  Nothing here decides anything: the server does.

import { copying } from "./behaviour/copying.js";
import { counting } from "./behaviour/counting.js";
import { dropping } from "./behaviour/dropping.js";
import { focusing } from "./behaviour/focusing.js";
import { leaving } from "./behaviour/leaving.js";
import { makingKeys } from "./behaviour/making-keys.js";
import { menus } from "./behaviour/menus.js";
import { polling } from "./behaviour/polling.js";
import { sendingOnce } from "./behaviour/sending-once.js";
import { theme } from "./behaviour/theme.js";
import { toasts } from "./behaviour/toasts.js";
import { waitingForAnswers } from "./behaviour/waiting-for-answers.js";

document.documentElement.dataset.script = "on"; // the style sheet shows what needs script only under this

for (const start of [leaving, theme, toasts, copying, menus, sendingOnce, polling]) start(document);

// Parts that look at elements rather than at events look again after htmx has exchanged some.
const eachTime = (root) => [dropping, counting, waitingForAnswers, makingKeys, focusing].forEach((start) => start(root));
eachTime(document);
document.addEventListener("htmx:load", ({ detail: { elt } }) => elt === document.body || eachTime(elt)); // the body is the first page
