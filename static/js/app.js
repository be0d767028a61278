// The behaviours of every page. Each hangs on a data- attribute and listens on the document,
// so what htmx brings in later behaves the same. templates/README.md lists them.
(() => {
  const on = (type, selector, handler, options) =>
    document.addEventListener(
      type,
      (event) => {
        const found = event.target instanceof Element && event.target.closest(selector);
        if (found) handler(found, event);
      },
      options,
    );
  const plainClick = (event) => event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);

  // --- Copy
  on("click", "[data-copy]", async (button) => {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      // No clipboard without HTTPS: fall back to a selection.
      const area = document.createElement("textarea");
      area.value = button.dataset.copy;
      area.className = "sr-only";
      button.after(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    button.classList.add("is-copied");
    setTimeout(() => button.classList.remove("is-copied"), 1600);
  });

  // --- Theme
  const theme = () => document.documentElement.dataset.theme || "system";
  const showTheme = () => {
    for (const group of document.querySelectorAll("[data-theme-switch]")) {
      group.hidden = false;
      for (const button of group.querySelectorAll("[data-theme-set]")) {
        button.setAttribute("aria-pressed", String(button.dataset.themeSet === theme()));
      }
    }
  };
  on("click", "[data-theme-set]", (button) => {
    const wanted = button.dataset.themeSet;
    if (wanted === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = wanted;
    try {
      if (wanted === "system") localStorage.removeItem("theme");
      else localStorage.setItem("theme", wanted);
    } catch {
      // Kept for this page only.
    }
    showTheme();
  });

  // --- Drawer
  let opener = null;
  const drawer = () => document.querySelector(".shell__side.is-open");
  const closeDrawer = () => {
    drawer()?.classList.remove("is-open");
    if (location.hash && document.querySelector(".shell__side:target")) history.replaceState(null, "", location.pathname + location.search);
    opener?.focus();
    opener = null;
  };
  on("click", "[data-drawer]", (link, event) => {
    const side = document.getElementById(link.dataset.drawer);
    if (!side) return;
    event.preventDefault();
    opener = link;
    side.classList.add("is-open");
    side.querySelector("a, button, summary")?.focus();
  });
  on("click", "[data-drawer-close]", (_, event) => {
    event.preventDefault();
    closeDrawer();
  });
  on("click", ".shell__side.is-open a[href]", () => closeDrawer());

  // --- Menus
  const closeMenus = (except) => {
    for (const menu of document.querySelectorAll("[data-menu][open]")) if (menu !== except) menu.open = false;
  };
  document.addEventListener("click", (event) => {
    const menu = event.target.closest?.("[data-menu]");
    closeMenus(menu);
    if (menu && event.target.closest(".menu__item")) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.querySelector("[data-menu][open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (drawer()) closeDrawer();
  });

  // --- Dialogs
  const show = (dialog) => {
    dialog.showModal();
    dialog.querySelector("[autofocus], input:not([type=hidden]), [data-dialog-close]")?.focus();
  };
  on("click", "[data-open]", (button) => {
    const dialog = document.getElementById(button.dataset.open);
    if (dialog && !dialog.open) show(dialog);
  });
  on("click", "[data-dialog-close]", (control, event) => {
    const dialog = control.closest("dialog");
    if (!dialog) return;
    event.preventDefault();
    dialog.close();
  });
  // A click on the backdrop has the dialog itself as its target.
  on("click", "dialog", (dialog, event) => {
    if (event.target === dialog) dialog.close();
  });
  on("click", "a[data-dialog]", async (link, event) => {
    if (!plainClick(event)) return;
    event.preventDefault();
    try {
      const answer = await fetch(link.href, { headers: { "X-Requested-With": "XMLHttpRequest" }, credentials: "same-origin" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const content = answer.ok && page.querySelector("[data-dialog-content]");
      if (!content) throw new Error("not a confirm page");
      const dialog = document.createElement("dialog");
      dialog.className = "dialog";
      const heading = content.querySelector("h1, h2");
      if (heading) {
        heading.id ||= "dialog-title";
        dialog.setAttribute("aria-labelledby", heading.id);
      }
      if (content instanceof HTMLFormElement && !content.getAttribute("action")) content.action = link.href;
      dialog.append(document.adoptNode(content));
      dialog.addEventListener("close", () => {
        dialog.remove();
        link.focus();
      });
      document.body.append(dialog);
      window.htmx?.process(dialog);
      show(dialog);
    } catch {
      location.assign(link.href);
    }
  });

  // --- Toasts
  const leave = (toast) => {
    toast.classList.add("is-leaving");
    setTimeout(() => toast.remove(), 300);
  };
  const watchToast = (toast) => {
    if (toast.dataset.watched) return;
    toast.dataset.watched = "yes";
    // What went wrong stays until it is read.
    if (toast.classList.contains("toast--error")) return;
    const wait = () => setTimeout(() => (toast.matches(":hover, :focus-within") ? wait() : leave(toast)), toast.querySelector("form") ? 12000 : 6000);
    wait();
  };
  const toast = (text, kind) => {
    const box = document.getElementById("toasts");
    if (!box) return;
    const element = document.createElement("div");
    element.className = `toast toast--${kind}`;
    element.dataset.toast = "";
    const words = document.createElement("p");
    words.className = "toast__text";
    words.textContent = text;
    const close = document.createElement("button");
    close.type = "button";
    close.className = "toast__close";
    close.dataset.toastClose = "";
    close.setAttribute("aria-label", "Close");
    close.textContent = "×";
    element.append(words, close);
    box.append(element);
    watchToast(element);
  };
  on("click", "[data-toast-close]", (button) => leave(button.closest("[data-toast]")));

  // --- Forms
  on("change", "[data-autosubmit]", (field) => field.form?.requestSubmit());
  on("submit", "form[data-busy]", (form) => {
    // After the submit has read its button, else its name and value would be missing.
    setTimeout(() => {
      for (const button of form.querySelectorAll("button:not([type=button])")) button.disabled = true;
      form.classList.add("is-busy");
    });
  });
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const form of document.querySelectorAll("form.is-busy")) {
      form.classList.remove("is-busy");
      for (const button of form.querySelectorAll("button:disabled")) button.disabled = false;
    }
  });

  // --- Keyboard: press what carries the key. Who speaks to their machine, or has a cat, turns single keys off.
  const keysAreOn = (wanted) => {
    try {
      if (wanted !== undefined) localStorage.setItem("keys", wanted ? "on" : "off");
      return localStorage.getItem("keys") !== "off";
    } catch {
      return wanted ?? true;
    }
  };
  const showKeys = () => {
    document.documentElement.dataset.keys = keysAreOn() ? "on" : "off";
    for (const box of document.querySelectorAll("[data-keys-switch]")) box.checked = keysAreOn();
  };
  on("change", "[data-keys-switch]", (box) => {
    document.documentElement.dataset.keys = keysAreOn(box.checked) ? "on" : "off";
  });
  showKeys();
  const typing = (target) => target instanceof HTMLElement && (target.isContentEditable || target.matches("input:not([type=checkbox], [type=radio]), textarea, select"));
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey || document.querySelector("dialog[open]")) return;
    const mod = event.ctrlKey || event.metaKey;
    if (!mod && (typing(event.target) || document.documentElement.dataset.keys === "off")) return;
    const name = (mod ? "mod+" : "") + event.key;
    const control = [...document.querySelectorAll("[data-key]")].find(
      (element) => element.dataset.key === name && !element.disabled && element.checkVisibility(),
    );
    if (!control) return;
    event.preventDefault();
    if (typing(control)) control.select?.() ?? control.focus();
    else control.click();
    if (typing(control)) control.focus();
  });

  // --- htmx
  document.addEventListener("htmx:responseError", (event) => {
    const status = event.detail.xhr.status;
    if (status === 401 || status === 403) toast("You are not signed in any more, or may not do this. Load the page again.", "error");
    else if (status === 404) toast("This is not there any more.", "error");
    else toast("That did not work. Nothing was changed; please try again.", "error");
  });
  document.addEventListener("htmx:sendError", () => toast("The server could not be reached. Please try again.", "error"));

  // --- Looking again: what waits for the world asks now and then, never from a tab that nobody sees, and
  // at once when somebody comes back to it.
  const started = performance.now();
  const looked = new Map();
  const look = () => {
    if (document.hidden) return;
    for (const element of document.querySelectorAll("[data-look]")) {
      // By its id: each answer brings a new element. Slower the longer it takes, five minutes at most.
      const [last, times] = looked.get(element.id) ?? [started, 0];
      const wait = Math.min(300, element.dataset.look * 1.2 ** times) * 1000;
      if (performance.now() - last < wait) continue;
      looked.set(element.id, [performance.now(), times + 1]);
      element.dispatchEvent(new Event("look"));
    }
  };
  if (document.querySelector("[data-look]")) {
    setInterval(look, 2000);
    document.addEventListener("visibilitychange", look);
  }

  const refresh = (root) => {
    for (const element of root.querySelectorAll?.("[data-toast]") ?? []) watchToast(element);
    if (root.querySelector?.("[data-theme-switch]")) showTheme();
  };
  document.addEventListener("htmx:load", (event) => refresh(event.detail.elt));
  document.addEventListener("htmx:oobAfterSwap", () => refresh(document));
  refresh(document);
})();
