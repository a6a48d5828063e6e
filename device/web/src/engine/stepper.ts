/** The device's side of the recurrent contract: `step(x, state) -> (y, state)`, the state kept here. */
import type { Form } from "./form";
import type { Engine } from "./runtime";
import type { Named, Values } from "./tensors";

/** Feeds a step form row by row (a clip model's frame by frame); states carry over in the graph's own dtype. */
export class RowStepper {
  private readonly start: Named = {};
  private feeds: Named = {};

  constructor(private readonly engine: Engine, private readonly form: Form) {
    for (const state of form.states) {
      const tensor = form.input(state.input);
      this.start[state.input] = tensor.hold(new Float32Array(tensor.size).fill(state.reset));
    }
    this.reset();
  }

  /** Begin a new sequence. */
  reset(): void {
    this.feeds = { ...this.start };
  }

  /** One step on a row in the border's dtype; `y` as the graph gives it. */
  feed(x: Values): Values {
    const found = this.engine.run({ ...this.feeds, x });
    for (const state of this.form.states) this.feeds[state.input] = found[state.output];
    return found.y;
  }
}
