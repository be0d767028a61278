// A letter being written is kept in Drafts while its writer pauses, and leaving it unsaved asks first.
// Each save files a new message in place of the last, so the form learns where its draft lies now. Another
// tab's draft is never overwritten: the server keeps both and says so. Chosen files come with Send or Save.
(() => {
  const PAUSE = 2500;
  const BETWEEN = 8000; // from one save to the next at least; longer with attachments, which are filed anew
  const letters = new WeakMap();
  const formOf = (event) => event.target.closest?.("[data-compose]");

  const stateOf = (form) => {
    if (!letters.has(form)) letters.set(form, { typed: 0, saved: 0, last: -Infinity, timer: 0, running: null, leaving: false });
    return letters.get(form);
  };
  const say = (form, text, isError = false) => {
    const line = form.querySelector("[data-saved]");
    if (!line) return;
    line.textContent = text;
    line.classList.toggle("is-error", isError);
  };
  const take = (form, answer) => {
    form.elements.draft.value = answer.draft;
    form.elements.source.value = answer.source;
    const kept = [...form.querySelectorAll("input[name=keep]")];
    const chips = [...form.querySelectorAll("button[name=remove]")];
    answer.keep.forEach(({ section, url }, number) => {
      if (kept[number]) kept[number].value = section;
      if (chips[number]) chips[number].value = section;
      chips[number]?.closest(".chip")?.querySelector("a[href]")?.setAttribute("href", url);
    });
    // A reload brings the draft back, not an empty form.
    history.replaceState(history.state, "", answer.url);
  };

  const save = async (form, state) => {
    const typed = state.typed;
    const data = new FormData(form);
    data.delete("attachments");
    data.set("action", "autosave");
    try {
      // The header lets a lapsed session answer with 401 instead of the sign-in page.
      const answer = await fetch(form.getAttribute("action"), { method: "POST", body: data, headers: { "HX-Request": "true" }, credentials: "same-origin" });
      if (answer.status === 401) throw new Error("You are not signed in any more: this is not saved.");
      const said = await answer.json();
      if (said.state === "sent") return;
      if (said.state !== "saved") throw new Error(said.text);
      take(form, said);
      state.saved = typed;
      say(form, said.note ? `${said.text}. ${said.note}` : said.text);
    } catch (error) {
      say(form, error instanceof TypeError || error instanceof SyntaxError ? "Not saved: the server could not be reached." : error.message, true);
    } finally {
      state.last = performance.now();
    }
  };
  const soon = (form, now = false) => {
    const state = stateOf(form);
    clearTimeout(state.timer);
    const between = form.querySelector("input[name=keep]") ? 4 * BETWEEN : BETWEEN;
    const wait = now ? 0 : Math.max(PAUSE, state.last + between - performance.now());
    state.timer = setTimeout(() => {
      if (!form.isConnected || state.leaving || state.running || state.typed === state.saved) return;
      state.running = save(form, state).finally(() => {
        state.running = null;
        if (state.typed !== state.saved && !state.leaving) soon(form);
      });
    }, wait);
  };

  document.addEventListener("input", (event) => {
    const form = formOf(event);
    if (!form) return;
    stateOf(form).typed += 1;
    soon(form);
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) for (const form of document.querySelectorAll("[data-compose]")) soon(form, true);
  });
  // Send and Discard must know the draft of a save that is still on its way.
  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target.matches("[data-compose]") ? event.target : null;
      if (!form) return;
      const state = stateOf(form);
      state.leaving = true;
      clearTimeout(state.timer);
      if (!state.running) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      const button = event.submitter;
      state.running.then(() => form.requestSubmit(button));
    },
    true,
  );
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) for (const form of document.querySelectorAll("[data-compose]")) stateOf(form).leaving = false;
  });
  window.addEventListener("beforeunload", (event) => {
    for (const form of document.querySelectorAll("[data-compose]")) {
      const state = stateOf(form);
      if (!state.leaving && state.typed !== state.saved) event.preventDefault();
    }
  });
})();
