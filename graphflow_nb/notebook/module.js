// Where a page needs more than two seconds to load a widget's module, on a busy machine or in a large
// notebook, anywidget (0.9.18 to 0.11.0) reports "Failed to initialize model", shows the widget
// nevertheless, and from then on refuses every message to it: a table would stay empty. Such a
// widget takes its messages as any other of ipywidgets does, and asks for what it missed.

async function hear(model) {
  const own = await model.widget_manager?.get_model?.(model.get("own_id"));
  if (!own?.comm) return; // a host of another kind, or a saved notebook
  const { _handle_comm_msg: handle } = Object.getPrototypeOf(own.constructor.prototype);
  try {
    await own._handle_comm_msg({ content: { data: {} } }); // with no method, so nothing is done
  } catch {
    own.comm.on_msg((message) => handle.call(own, message));
    own.comm.send({ method: "request_state" });
  }
}

function initialize({ model }) {
  // Not awaited: messages wait until this function has returned.
  hear(model).catch((error) => console.warn("graphflow_nb: a widget may get no messages", error));
}

