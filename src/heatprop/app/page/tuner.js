// Asks the server for detections with other settings: one request at a time, and the newest settings win.

export class Tuner {
  /**
   * @param ask (signal) => promise of the server's answer to the settings as they are then
   * @param onAnswer called with an answer, unless newer settings are already on their way
   * @param onError called with an error
   */
  constructor(ask, onAnswer, onError) {
    Object.assign(this, { ask, onAnswer, onError });
    this.running = false;
    this.again = false;
    this.epoch = 0;
  }

  /** The settings are others. */
  changed() {
    if (this.running) this.again = true;
    else this.#run();
  }

  /** Forget what is under way: another run is shown. */
  drop() {
    this.epoch += 1;
    this.running = false;
    this.again = false;
  }

  async #run() {
    const { epoch } = this;
    this.running = true;
    do {
      this.again = false;
      try {
        const answer = await this.ask();
        if (epoch !== this.epoch) return;
        this.onAnswer(answer);
      } catch (error) {
        if (epoch !== this.epoch) return;
        if (!this.again) this.onError(error);
      }
    } while (this.again);
    this.running = false;
  }
}
