// One connection to the stream, opened anew whenever the browser gives up on it.

const EVENTS = ["snapshot", "alarm", "values", "tick", "reset"];
const AGAIN_MS = 2000;

/** Follow the stream; `tell(name, data)` gets every event as text. Returns {restart, stop}. */
export function follow(tell) {
  let source = null;
  let timer = 0;

  function open() {
    clearTimeout(timer);
    source?.close();
    source = new EventSource("/api/v1/stream");
    const own = source;
    for (const name of EVENTS) source.addEventListener(name, (event) => tell(name, event.data));
    source.onerror = () => {
      tell("lost", "");
      // A browser tries again by itself after a broken connection, but never after an error answer.
      if (own.readyState === EventSource.CLOSED && own === source) timer = setTimeout(open, AGAIN_MS);
    };
  }

  open();
  return {
    restart: open,
    stop() {
      clearTimeout(timer);
      source?.close();
      source = null;
    },
  };
}
