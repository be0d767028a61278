// One event stream a browser, whatever the number of tabs: an HTTP/1.1 browser opens six connections
// to a host, and each stream holds one for good. The tab that gets the lock listens and tells the others.
(() => {
  if (!window.htmx || !("locks" in navigator) || !("BroadcastChannel" in window)) return;

  class SharedSource extends EventTarget {
    constructor(url) {
      super();
      this.url = url;
      this.readyState = EventSource.CONNECTING;
      this.onopen = this.onerror = null;
      this.names = new Set();
      this.source = null;
      this.channel = new BroadcastChannel(`live:${url}`);
      this.channel.onmessage = ({ data }) => this.hear(data);
      this.channel.postMessage({ kind: "hello" });
      navigator.locks
        .request(`live:${url}`, () => {
          if (this.readyState === EventSource.CLOSED) return;
          return new Promise((release) => {
            this.release = release;
            this.lead();
          });
        })
        .catch(() => this.lead());
    }

    // The names of events are known to those who listen, so each tab tells the leader its own.
    addEventListener(name, listener, options) {
      super.addEventListener(name, listener, options);
      if (this.names.has(name)) return;
      this.names.add(name);
      this.channel.postMessage({ kind: "want", names: [name] });
      this.subscribe(name);
    }

    lead() {
      this.source = new EventSource(this.url);
      this.wanted = new Set();
      this.source.onopen = () => this.tell({ kind: "open" });
      this.source.onerror = () => this.tell({ kind: "error", closed: this.source.readyState === EventSource.CLOSED });
      for (const name of this.names) this.subscribe(name);
      this.channel.postMessage({ kind: "lead" });
    }

    subscribe(name) {
      if (!this.source || this.wanted.has(name)) return;
      this.wanted.add(name);
      this.source.addEventListener(name, ({ data, lastEventId }) => this.tell({ kind: "event", name, data, lastEventId }));
    }

    tell(news) {
      this.channel.postMessage(news);
      this.hear(news);
    }

    hear(news) {
      if (this.readyState === EventSource.CLOSED) return;
      if (news.kind === "event") this.dispatchEvent(new MessageEvent(news.name, { data: news.data, lastEventId: news.lastEventId }));
      else if (news.kind === "open") {
        if (this.readyState === EventSource.OPEN) return;
        this.readyState = EventSource.OPEN;
        this.onopen?.(new Event("open"));
      } else if (news.kind === "error") {
        // htmx opens a new one when it finds this one closed; the lock must be free by then.
        if (news.closed) this.close();
        else this.readyState = EventSource.CONNECTING;
        this.onerror?.(new Event("error"));
      } else if (news.kind === "want") for (const name of news.names) this.subscribe(name);
      else if (news.kind === "lead") this.channel.postMessage({ kind: "want", names: [...this.names] });
      else if (news.kind === "hello" && this.source?.readyState === EventSource.OPEN) this.channel.postMessage({ kind: "open" });
    }

    close() {
      this.readyState = EventSource.CLOSED;
      this.source?.close();
      this.channel.close();
      this.release?.();
    }
  }

  window.htmx.createEventSource = (url) => new SharedSource(new URL(url, location.href).href);
})();
