// Runs the upstream TensorFlow.js graph once; called by compare_mb3_with_tfjs.py.
//
//   node run_mb3_in_tfjs.mjs TFJS_FOLDER GRAPH.json WEIGHTS.bin INPUT.f32 HEIGHT WIDTH OUTPUT_PREFIX
//
// TFJS_FOLDER is a folder in which `npm install @tensorflow/tfjs` was run. INPUT.f32 holds little-endian float32
// (1, HEIGHT, WIDTH, 3). Writes OUTPUT_PREFIX.heatmap.f32 and OUTPUT_PREFIX.distances.f32, NHWC.

import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [folder, graphPath, weightsPath, inputPath, heightText, widthText, prefix] = process.argv.slice(2);
const tf = createRequire(join(folder, 'package.json'))('@tensorflow/tfjs');
const [height, width] = [Number(heightText), Number(widthText)];

const graph = JSON.parse(readFileSync(graphPath, 'utf8'));
const specs = graph.weightsManifest.flatMap((group) => group.weights);
const weights = readFileSync(weightsPath);

// The graph states the sizes of a 512 x 512 input: once for its input, and at each of its three resizings.
const placeholder = graph.modelTopology.node.find((node) => node.name === 'tower_0/images');
placeholder.attr.shape.shape.dim[1].size = String(height);
placeholder.attr.shape.shape.dim[2].size = String(width);
let start = 0;
for (const spec of specs) {
  const count = spec.shape.reduce((product, side) => product * side, 1);
  if (spec.name.includes('/up_sampling2d') && spec.name.endsWith('/mul')) {
    const stride = 512 / weights.readInt32LE(start);
    weights.writeInt32LE(height / stride, start);
    weights.writeInt32LE(width / stride, start + 4);
  }
  start += count * (spec.quantization?.dtype === 'float16' ? 2 : 4);
}

const model = await tf.loadGraphModel(
  tf.io.fromMemory({
    format: graph.format,
    modelTopology: graph.modelTopology,
    weightSpecs: specs,
    weightData: weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.byteLength),
  }),
);
const input = readFileSync(inputPath);
const values = new Float32Array(input.buffer.slice(input.byteOffset, input.byteOffset + input.byteLength));
const images = tf.tensor4d(values, [1, height, width, 3]);
const [heatmap, distances] = model.execute(images, ['tower_0/keypoints', 'tower_0/wh']);
for (const [name, tensor] of [['heatmap', heatmap], ['distances', distances]]) {
  writeFileSync(`${prefix}.${name}.f32`, Buffer.from(new Float32Array(tensor.dataSync()).buffer));
}
console.log(JSON.stringify({ tfjs: tf.version.tfjs, backend: tf.getBackend(), heatmap: heatmap.shape }));
