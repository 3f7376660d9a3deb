// Detections of a run, by chunks: asked for when they are needed, and a bounded number of them kept.

const FRAMES = 256; // in a chunk
const KEPT = 16; // chunks in all

export class DetectionChunks {
  /**
   * @param ask (key, from, to) => promise of {from, to, frames}
   * @param onArrival called when frames arrived
   * @param onError called with an error
   */
  constructor(ask, onArrival, onError) {
    Object.assign(this, { ask, onArrival, onError });
    this.clear(0);
  }

  /** Forget everything, for a run of `total` frames. */
  clear(total) {
    this.total = total;
    this.chunks = new Map(); // the least recently used first
    this.previews = new Map();
    this.epoch = (this.epoch ?? 0) + 1;
  }

  /** Keep the previews of the newest settings alone: frames that are shown until the whole video is there. */
  preview(frames) {
    this.previews = new Map(Object.entries(frames).filter(([, preview]) => preview).map(([key, preview]) => [key, unnumbered(preview)]));
    this.onArrival();
  }

  /** More frames of a key are there: chunks with gaps are asked for again when they are needed. */
  advanced(key) {
    for (const [name, chunk] of this.chunks) if (name.startsWith(`${key}/`) && !chunk.whole) chunk.stale = true;
  }

  /** Return a frame, or null while it is not there; what is missing is asked for, and what comes next. */
  frame(key, number) {
    if (key === null || number < 0 || number >= this.total) return null;
    const found = this.#chunk(key, number)?.frames[number % FRAMES];
    if (number % FRAMES > (FRAMES * 3) / 4) this.#chunk(key, number + FRAMES);
    if (found) return found;
    const preview = this.previews.get(key);
    return preview && number >= preview.from && number < preview.to ? preview.frames[number - preview.from] : null;
  }

  get size() {
    return this.chunks.size;
  }

  #chunk(key, number) {
    const from = Math.floor(number / FRAMES) * FRAMES;
    if (from >= this.total) return null;
    const name = `${key}/${from}`;
    let chunk = this.chunks.get(name);
    if (chunk) this.chunks.delete(name);
    else chunk = { frames: [], whole: false, asked: false, stale: true };
    this.chunks.set(name, chunk);
    for (const oldest of this.chunks.keys()) {
      if (this.chunks.size <= KEPT) break;
      this.chunks.delete(oldest);
    }
    if (chunk.stale && !chunk.asked) this.#fetch(chunk, key, from);
    return chunk;
  }

  async #fetch(chunk, key, from) {
    const epoch = this.epoch;
    chunk.asked = true;
    chunk.stale = false;
    try {
      const answer = await this.ask(key, from, Math.min(from + FRAMES, this.total));
      if (epoch !== this.epoch) return;
      chunk.frames = answer.frames;
      chunk.whole = answer.frames.every((frame) => frame !== null);
    } catch (error) {
      if (epoch === this.epoch) this.onError(error);
    } finally {
      chunk.asked = false;
    }
    if (epoch === this.epoch) this.onArrival();
  }
}

/** Return a preview without ids: they are its own, and others in the whole video. */
function unnumbered({ from, to, frames }) {
  return { from, to, frames: frames.map((frame) => frame && { ...frame, ids: frame.ids.map(() => -1), isPreview: true }) };
}
