// Webmail's own behaviours: selection and the keyboard in lists, the height of the message frame,
// and what makes writing pleasant. Everything works without them, by links and forms.
(() => {
  const find = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const typing = (target) =>
    target instanceof HTMLElement && (target.isContentEditable || target.matches("input:not([type=checkbox], [type=radio]), textarea, select"));

  for (const button of all(".mail__help")) button.hidden = false;

  // --- Selection
  const boxOf = (row) => find('input[type="checkbox"]', row);
  const showSelection = (list) => {
    const rows = all("[data-row]", list);
    let count = 0;
    for (const row of rows) {
      const checked = Boolean(boxOf(row)?.checked);
      row.classList.toggle("is-selected", checked);
      if (checked) count += 1;
    }
    list.classList.toggle("has-selected", count > 0);
    for (const box of all("[data-select-all]", list)) {
      box.checked = count > 0 && count === rows.length;
      box.indeterminate = count > 0 && count < rows.length;
    }
    for (const words of all("[data-bulk-count]", list)) words.textContent = count ? `${count} ${words.dataset.bulkCount}`.trim() : "";
  };
  let lastRow = null;
  document.addEventListener("click", (event) => {
    const box = event.target instanceof HTMLInputElement && event.target.type === "checkbox" ? event.target : null;
    const list = box?.closest("[data-list]");
    if (!list) return;
    const rows = all("[data-row]", list);
    if (box.matches("[data-select-all]")) {
      for (const row of rows) if (boxOf(row)) boxOf(row).checked = box.checked;
    } else {
      const row = box.closest("[data-row]");
      const [from, to] = [rows.indexOf(lastRow), rows.indexOf(row)];
      if (event.shiftKey && from >= 0 && to >= 0) {
        for (const between of rows.slice(Math.min(from, to), Math.max(from, to) + 1)) boxOf(between).checked = box.checked;
      }
      lastRow = row;
    }
    showSelection(list);
  });

  // A refresh brings boxes as the server knows them: empty. What was ticked stays ticked.
  let kept = [];
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target?.id !== "messages" || event.detail.requestConfig?.verb !== "get") return;
    kept = all("[data-row] input[name=uid]:checked", event.detail.target).map((box) => box.value);
  });
  document.addEventListener("htmx:afterSwap", () => {
    const here = kept.length ? document.getElementById("messages") : null;
    if (!here) return;
    for (const box of all("[data-row] input[name=uid]", here)) if (kept.includes(box.value)) box.checked = true;
    kept = [];
    showSelection(here);
  });

  // --- Keyboard in lists
  const list = () => all("[data-list]").find((element) => element.checkVisibility());
  const cursorRow = (rows) => rows.find((row) => row.classList.contains("is-cursor")) ?? rows.find((row) => row.classList.contains("is-current"));
  const moveTo = (rows, row) => {
    for (const other of rows) other.classList.toggle("is-cursor", other === row);
    find("a[href]", row)?.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  };
  const step = (by) => {
    const here = list();
    // On a narrow screen the list is hidden behind the message; it still knows what comes next.
    const rows = all("[data-row]", here ?? document);
    if (!rows.length) return;
    const at = rows.indexOf(cursorRow(rows));
    const next = rows[Math.max(0, Math.min(rows.length - 1, at + by))] ?? rows[0];
    moveTo(rows, next);
    // With a message open beside the list, moving reads on, as in a desktop client.
    if (find("#reading .reading")) find("a[href]", next)?.click();
  };
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || find("dialog[open]")) return;
      if (event.key === "?") {
        const help = document.getElementById("keys-help");
        if (help) help.showModal();
        return;
      }
      if (document.documentElement.dataset.keys === "off") return;
      if (event.key === "j" || event.key === "k") {
        event.preventDefault();
        step(event.key === "j" ? 1 : -1);
        return;
      }
      const here = list();
      if (!here) return;
      const row = cursorRow(all("[data-row]", here));
      if (!row) return;
      if (event.key === "o") find("a[href]", row)?.click();
      else if (event.key === "x") {
        boxOf(row).checked = !boxOf(row).checked;
        showSelection(here);
      } else if (event.key === "s" && find(".star", row)) find(".star", row).click();
      else if (!here.classList.contains("has-selected") && !find("#reading .reading")) {
        // An action without a selection means the row under the cursor.
        const button = all("[data-bulk] [data-key]", here).find((element) => element.dataset.key === event.key);
        if (!button) return;
        boxOf(row).checked = true;
        showSelection(here);
        button.click();
      } else return;
      event.preventDefault();
      event.stopPropagation();
    },
    true,
  );

  // --- A message opened beside its list
  document.addEventListener("htmx:afterRequest", (event) => {
    const row = event.detail.elt.closest?.("[data-row]");
    if (!row || !event.detail.successful || !event.detail.elt.matches("a")) return;
    for (const other of all("[data-row].is-current")) {
      other.classList.remove("is-current");
      find("a[aria-current]", other)?.removeAttribute("aria-current");
    }
    row.classList.add("is-current");
    row.classList.remove("is-unread");
    event.detail.elt.setAttribute("aria-current", "true");
    find("#reading .reading__scroll")?.scrollTo(0, 0);
  });

  // --- The frame grows to its content. The sandbox allows our origin and no scripts, so we may measure it.
  const fit = (frame) => {
    const page = frame.contentDocument;
    if (!page?.body) return;
    const measure = () => {
      const wanted = Math.max(page.body.scrollHeight, page.documentElement.offsetHeight);
      if (wanted > 0) frame.style.height = `${Math.ceil(wanted)}px`;
    };
    measure();
    new ResizeObserver(measure).observe(page.documentElement);
    for (const image of page.images) image.addEventListener("load", measure);
    // Keys struck inside the mail mean the same as outside.
    page.addEventListener("keydown", (event) => {
      const { key, ctrlKey, metaKey, altKey, shiftKey } = event;
      if (!document.dispatchEvent(new KeyboardEvent("keydown", { key, ctrlKey, metaKey, altKey, shiftKey, bubbles: true, cancelable: true }))) event.preventDefault();
    });
  };
  const watchFrame = (frame) => {
    if (frame.dataset.watched) return;
    frame.dataset.watched = "yes";
    frame.addEventListener("load", () => fit(frame));
    if (frame.contentDocument?.readyState === "complete" && frame.contentDocument.URL !== "about:blank") fit(frame);
  };

  // --- Writing
  const size = (octets) =>
    octets < 1024 ? `${octets} B` : octets < 1048576 ? `${Math.round(octets / 1024)} KB` : `${(octets / 1048576).toFixed(1)} MB`;
  const icon = (name) => {
    const sprite = find("use")?.getAttribute("href")?.split("#")[0] ?? "";
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", `${sprite}#${name}`);
    svg.append(use);
    return svg;
  };
  const showFiles = (input) => {
    const form = input.form;
    const octets = [...input.files].reduce((sum, file) => sum + file.size, 0);
    // The form is not sent while this stands: the server would refuse it after the way there.
    input.setCustomValidity(octets > input.dataset.most ? `${input.dataset.tooLarge} ${size(input.dataset.most)}.` : "");
    if (!input.checkValidity()) input.reportValidity();
    let chips = find("[data-chosen]", form);
    if (!chips) {
      chips = document.createElement("ul");
      chips.className = "chips";
      chips.dataset.chosen = "";
      (find(".chips", form) ?? find(".compose__actions", form)).before(chips);
    }
    chips.replaceChildren(
      ...[...input.files].map((file, number) => {
        const chip = document.createElement("li");
        chip.className = "chip";
        const body = document.createElement("span");
        body.className = "chip__link";
        const name = document.createElement("span");
        name.className = "chip__name clip";
        name.textContent = file.name;
        const note = document.createElement("span");
        note.className = "chip__note";
        note.textContent = size(file.size);
        body.append(icon("paperclip"), name, note);
        const remove = document.createElement("button");
        remove.type = "button";
        remove.className = "button button--quiet button--icon button--sm";
        remove.setAttribute("aria-label", `Remove ${file.name}`);
        remove.append(icon("x"));
        remove.addEventListener("click", () => {
          const kept = new DataTransfer();
          [...input.files].forEach((other, at) => at !== number && kept.items.add(other));
          input.files = kept.files;
          showFiles(input);
        });
        chip.append(body, remove);
        return chip;
      }),
    );
  };
  // Choosing a second time adds; the browser alone would replace.
  const chosen = new WeakMap();
  const addFiles = (input, files) => {
    const together = new DataTransfer();
    for (const file of [...(chosen.get(input) ?? []), ...files]) together.items.add(file);
    input.files = together.files;
    showFiles(input);
  };
  document.addEventListener("click", (event) => {
    const reveal = event.target.closest?.("[data-reveal]");
    if (reveal) {
      for (const name of reveal.dataset.reveal.split(" ")) {
        for (const line of all(`[data-reveals="${name}"]`, reveal.form ?? document)) line.hidden = false;
      }
      find(`[data-reveals="${reveal.dataset.reveal.split(" ")[0]}"] input`, reveal.form ?? document)?.focus();
      reveal.hidden = true;
    }
    const input = event.target.closest?.("[data-files]");
    if (input) chosen.set(input, [...input.files]);
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches?.("[data-files]")) addFiles(event.target, [...event.target.files]);
  });
  const overCompose = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files") && event.target.closest?.("[data-compose]");
  document.addEventListener("dragover", (event) => {
    const form = overCompose(event);
    if (!form) return;
    event.preventDefault();
    form.classList.add("is-dropping");
  });
  document.addEventListener("dragleave", (event) => {
    const form = event.target.closest?.("[data-compose]");
    if (form && !form.contains(event.relatedTarget)) form.classList.remove("is-dropping");
  });
  document.addEventListener("drop", (event) => {
    const form = overCompose(event);
    if (!form) return;
    form.classList.remove("is-dropping");
    const input = find("[data-files]", form);
    if (!input) return;
    event.preventDefault();
    chosen.set(input, [...input.files]);
    addFiles(input, [...event.dataTransfer.files]);
  });

  // Empty Cc and Bcc hide behind a button, which exists only with a script.
  const tidyCompose = (form) => {
    if (form.dataset.watched) return;
    form.dataset.watched = "yes";
    for (const button of all("[data-reveal]", form)) {
      const lines = button.dataset.reveal.split(" ").flatMap((name) => all(`[data-reveals="${name}"]`, form));
      const filled = lines.some((line) => all("input", line).some((input) => input.value || input.getAttribute("aria-invalid")));
      for (const line of lines) line.hidden = !filled;
      button.hidden = filled;
    }
  };

  // --- Rich text, fetched only where it is wanted
  let editor = null;
  const loadEditor = () =>
    (editor ??= (find("[data-editor-scripts]")?.dataset.editorScripts ?? "")
      .split(" ")
      .filter(Boolean)
      .reduce(
        (before, src) =>
          before.then(
            () =>
              new Promise((done, failed) => {
                const script = document.createElement("script");
                script.src = src;
                script.onload = done;
                script.onerror = failed;
                document.head.append(script);
              }),
          ),
        Promise.resolve(),
      ));
  const wantEditor = (area) => {
    loadEditor().then(
      () => area.dispatchEvent(new CustomEvent("editor:start", { bubbles: true })),
      () => {
        // Without the editor the textarea still writes plain text.
      },
    );
  };

  // A letter is plain text until somebody wants more; what they chose last holds for the next one.
  const wantsRich = (wanted) => {
    try {
      if (wanted !== undefined) localStorage.setItem("compose", wanted ? "rich" : "plain");
      return localStorage.getItem("compose") === "rich";
    } catch {
      return Boolean(wanted);
    }
  };
  const setRich = (form, area, wanted) => {
    find("[data-rich-switch]", form).setAttribute("aria-pressed", String(wanted));
    if (wanted) {
      area.dataset.rich = area.dataset.richOffer;
      wantEditor(area);
    } else area.dispatchEvent(new CustomEvent("editor:stop", { bubbles: true }));
  };
  const offerRich = (form) => {
    const [button, area] = [find("[data-rich-switch]", form), find("textarea[data-rich-offer]", form)];
    if (!button || !area || !button.hidden) return;
    button.hidden = false;
    button.addEventListener("click", () => setRich(form, area, wantsRich(button.getAttribute("aria-pressed") !== "true")));
    if (area.dataset.html || wantsRich()) setRich(form, area, true);
  };

  const refresh = (root) => {
    for (const frame of all("iframe[data-frame]", root)) watchFrame(frame);
    for (const form of all("[data-compose]", root)) {
      tidyCompose(form);
      offerRich(form);
    }
    for (const element of all("[data-list]", root)) showSelection(element);
    const outer = root instanceof Element && root.closest("[data-list]");
    if (outer) showSelection(outer);
  };
  document.addEventListener("htmx:load", (event) => refresh(event.detail.elt.parentElement ?? document));
  window.addEventListener("pageshow", () => refresh(document));
  refresh(document);
})();
