// Gives the page its turn between two tasks of ours.

export class Turn {
  /** @type {MessageChannel | undefined} */
  #channel;
  #isGiven = false;
  #then;

  /** @param {() => void} then runs when the page has had its turn */
  constructor(then) {
    this.#then = then;
  }

  /** Whether the page has its turn now, and `then` follows. */
  get isGiven() {
    return this.#isGiven;
  }

  give() {
    if (this.#isGiven) return;
    // Not a timer: those of hidden documents come late.
    this.#channel ??= this.#open();
    this.#channel.port1.postMessage(null);
    // Last: the page's stack may end above, and then no turn follows.
    this.#isGiven = true;
  }

  /** Takes the turn back: the document goes away. `then` runs all the same, if there is time. */
  takeBack() {
    this.#isGiven = false;
  }

  #open() {
    const channel = new MessageChannel();
    channel.port2.onmessage = () => {
      this.#isGiven = false;
      this.#then();
    };
    return channel;
  }
}
