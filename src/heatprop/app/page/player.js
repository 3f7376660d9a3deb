// Where the video is: plays, steps and seeks by frames. Frame n of the source is frame n of the video.

const SPEEDS = [1, 2, 4];

export class Player {
  /**
   * @param video the element
   * @param onShown called when the element has another picture
   * @param onMove called with the frame where the playhead is now
   * @param onState called when it starts or stops
   */
  constructor(video, { onShown, onMove, onState }) {
    Object.assign(this, { video, onShown, onMove, onState });
    this.shown = 0; // number of the picture in the element
    this.target = 0; // where the playhead is: ahead of the picture while a seek is under way
    this.total = 1;
    this.rate = 25;
    this.clocked = null; // what plays without the element: backwards, or without a picture
    this.seeking = false;
    this.picture = null; // what is shown, kept apart: while it seeks, the element has none
    video.addEventListener("seeked", () => this.#seeked());
    for (const name of ["play", "pause", "ended"]) video.addEventListener(name, () => this.onState());
    video.addEventListener("loadeddata", () => this.#listen());
  }

  /** Take a video of `total` frames at `rate` a second; without an address only the playhead moves. */
  load(address, rate, total) {
    this.stop();
    Object.assign(this, { rate, total: Math.max(1, total), shown: 0, target: 0, seeking: false, picture: null });
    this.hasPicture = address !== null;
    if (address === null) {
      this.video.removeAttribute("src");
      this.video.load();
    } else {
      this.video.src = address;
    }
    this.onMove(0);
  }

  get playing() {
    return this.clocked !== null || (this.hasPicture && !this.video.paused && !this.video.ended);
  }

  /** Go to a frame. While a seek is under way only the newest wish is kept. */
  seek(frame) {
    this.target = Math.max(0, Math.min(this.total - 1, Math.round(frame)));
    this.onMove(this.target);
    if (!this.hasPicture) {
      this.shown = this.target;
      this.onShown();
    } else if (!this.seeking && this.target !== this.shown) {
      this.#start();
    }
  }

  /** Stop at a frame. */
  jump(frame) {
    this.stop();
    this.seek(frame);
  }

  step(frames) {
    this.stop();
    this.seek(this.target + frames);
  }

  toggle() {
    if (this.playing) this.stop();
    else this.play();
  }

  play(speed = 1) {
    this.#endClock();
    if (this.target >= this.total - 1) this.seek(0);
    if (!this.hasPicture) return this.#startClock(speed);
    this.video.playbackRate = speed;
    this.video.play().catch(() => this.onState()); // refused or interrupted: the button says so
  }

  /** Play forwards (1) or backwards (-1); faster at each call. */
  shuttle(direction) {
    const now = this.clocked ?? (this.playing ? this.video.playbackRate : 0);
    const speed = SPEEDS[Math.min(SPEEDS.length - 1, SPEEDS.indexOf(now * direction) + 1)];
    if (direction > 0) return this.play(speed);
    this.stop();
    this.#startClock(-speed);
  }

  stop() {
    this.#endClock();
    if (this.hasPicture && !this.video.paused) this.video.pause();
    this.onState();
  }

  #start() {
    this.seeking = true;
    this.sought = this.target;
    this.video.currentTime = (this.target + 0.5) / this.rate;
  }

  #seeked() {
    this.seeking = false;
    if (this.target !== this.sought && !this.playing) this.#start();
    else if (this.clocked !== null && this.target !== this.sought) this.#start();
  }

  #listen() {
    this.#take();
    this.onShown();
    if (this.listening) return;
    this.listening = true;
    const picture = (_now, { mediaTime }) => {
      this.video.requestVideoFrameCallback(picture);
      this.#take();
      this.shown = Math.max(0, Math.min(this.total - 1, Math.floor(mediaTime * this.rate + 0.5)));
      if (this.playing && this.clocked === null && !this.seeking) {
        this.target = this.shown;
        this.onMove(this.target);
      }
      this.onShown();
    };
    this.video.requestVideoFrameCallback(picture);
  }

  #take() {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!this.hasPicture || !width) return;
    if (this.picture?.width !== width || this.picture.height !== height) {
      this.picture = Object.assign(document.createElement("canvas"), { width, height });
    }
    this.picture.getContext("2d", { alpha: false }).drawImage(this.video, 0, 0);
  }

  #startClock(speed) {
    this.clocked = speed;
    let last = performance.now();
    let exact = this.target;
    const tick = (now) => {
      if (this.clocked !== speed) return;
      exact += ((now - last) / 1000) * this.rate * speed;
      last = now;
      if (Math.round(exact) !== this.target) this.seek(exact);
      if (exact <= 0 || exact >= this.total - 1) return this.stop();
      requestAnimationFrame(tick);
    };
    this.onState();
    requestAnimationFrame(tick);
  }

  #endClock() {
    this.clocked = null;
  }
}
