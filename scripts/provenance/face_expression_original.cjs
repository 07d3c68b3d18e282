// What the original face-api computes for given faces: the numbers of tests/encoders/face_expression.json.
//
//   npm install @vladmandic/face-api@1.7.15 @tensorflow/tfjs@4.22.0
//   mkdir -p node_modules/@tensorflow/tfjs-node
//   echo "module.exports = require('@tensorflow/tfjs')" > node_modules/@tensorflow/tfjs-node/index.js
//   NODE_PATH=node_modules node face_expression_original.cjs FOLDER > face_expression.json
//
// FOLDER holds NAME.rgb, each 112 x 112 x 3 bytes (tests/media/videos.py, golden_crops). The second and third line let
// the package run on plain TensorFlow.js, which needs no native library.
const fs = require('fs');
const path = require('path');

const log = console.log;
console.log = () => {}; // TensorFlow.js recommends itself
const faceapi = require('@vladmandic/face-api/dist/face-api.node.js');

async function main(folder) {
  const { tf, nets } = faceapi;
  await tf.setBackend('cpu');
  await tf.ready();
  const model = path.join(path.dirname(require.resolve('@vladmandic/face-api/package.json')), 'model');
  const manifest = JSON.parse(fs.readFileSync(path.join(model, 'face_expression_model-weights_manifest.json')));
  const read = async (names) => names.map((name) => {
    const data = fs.readFileSync(name);
    return data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
  });
  const weights = await tf.io.weightsLoaderFactory(read)(manifest, model);
  nets.faceExpressionNet.loadFromWeightMap(weights);
  const out = {};
  for (const file of fs.readdirSync(folder).filter((name) => name.endsWith('.rgb')).sort()) {
    const pixels = Float32Array.from(fs.readFileSync(path.join(folder, file)));
    const input = () => new faceapi.NetInput([tf.tensor4d(pixels, [1, 112, 112, 3])]);
    const round = (tensor) => Array.from(tensor.dataSync(), (x) => Number(x.toFixed(5)));
    out[path.parse(file).name] = {
      embedding: round(nets.faceExpressionNet.faceFeatureExtractor.forwardInput(input())),
      probabilities: round(nets.faceExpressionNet.forwardInput(input())),
    };
  }
  log(JSON.stringify(out));
}

main(process.argv[2]);
