// The inbox, live: shows times as here, asks before it clears, and refreshes the list when mail arrives.
"use strict";

const DAY = 86400000;

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    const short = Date.now() - at < DAY && at.getDate() === new Date().getDate();
    time.textContent = short ? at.toLocaleTimeString() : at.toLocaleString();
    time.title = at.toLocaleString() + " (" + time.dateTime + ")";
  }
}

function askFirst(event) {
  const words = event.target.dataset.confirm;
  if (words && !window.confirm(words)) event.preventDefault();
}

function live(list) {
  let shown = list.dataset.revision, latest = shown, busy = false;

  async function refresh() {
    if (busy) return;
    busy = true;
    while (shown !== latest) {
      const wanted = latest;
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
      if (!answer || !answer.ok) break;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("mails");
      if (!fresh) break;
      const focused = document.activeElement && document.activeElement.getAttribute("href");
      localTimes(fresh);
      list.replaceChildren(...fresh.childNodes);
      document.getElementById("clear").disabled = page.getElementById("clear").disabled;
      if (focused) list.querySelector('a[href="' + CSS.escape(focused) + '"]')?.focus();
      shown = wanted;
      light(true);
    }
    busy = false;
  }

  function light(on) {
    const lamp = document.getElementById("light");
    lamp.classList.toggle("on", on);
    lamp.title = on ? "Live: new mail shows by itself" : "Not live: the server does not answer";
  }

  const events = new EventSource("/inbox/events");
  events.addEventListener("open", () => light(true));
  events.addEventListener("error", () => light(false));
  events.addEventListener("changed", (event) => {
    latest = String(JSON.parse(event.data).revision);
    refresh();
  });
}

localTimes(document);
document.addEventListener("submit", askFirst);
const mails = document.querySelector("#mails[data-live]");
if (mails) live(mails);
