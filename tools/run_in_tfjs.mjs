// Runs an upstream TensorFlow.js graph once; called by compare_with_tfjs.py.
//
//   node run_in_tfjs.mjs TFJS_FOLDER GRAPH.json WEIGHTS.bin INPUT.f32 SHAPE NODE...
//
// TFJS_FOLDER is a folder in which `npm install @tensorflow/tfjs` was run. INPUT.f32 holds little-endian float32 of
// SHAPE, such as 1,3,416,416. Writes what the NODEs give to 0.f32, 1.f32 and so on, as the graph has them.

import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [folder, graphPath, weightsPath, inputPath, shape, ...nodes] = process.argv.slice(2);
const tf = createRequire(join(folder, 'package.json'))('@tensorflow/tfjs');
const bytes = (path) => new Uint8Array(readFileSync(path)).buffer;

const graph = JSON.parse(readFileSync(graphPath, 'utf8'));
const model = await tf.loadGraphModel(
  tf.io.fromMemory({
    format: graph.format,
    modelTopology: graph.modelTopology,
    weightSpecs: graph.weightsManifest.flatMap((group) => group.weights),
    weightData: bytes(weightsPath),
  }),
);
const images = tf.tensor(new Float32Array(bytes(inputPath)), shape.split(',').map(Number));
const outputs = model.execute(images, nodes);
outputs.forEach((tensor, index) => writeFileSync(`${index}.f32`, new Uint8Array(new Float32Array(tensor.dataSync()).buffer)));
console.log(JSON.stringify({ tfjs: tf.version.tfjs, backend: tf.getBackend(), shapes: outputs.map((tensor) => tensor.shape) }));
