// What an application saw: its reads and its errors, in order, as the test compares them with the
// same page where nothing is captured.

export class Trace {
  constructor() {
    this.lines = [];
  }

  saw(what, value) {
    this.lines.push(`${what}: ${JSON.stringify(value)}`);
  }

  // What a promise or a function comes to; its error's name counts.
  async outcome(what, attempt) {
    try {
      this.saw(what, await attempt());
    } catch (error) {
      this.lines.push(`${what} failed: ${error?.code ?? error?.name}`);
    }
  }
}
