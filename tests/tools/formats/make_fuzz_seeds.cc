// Writes the seeds of the fuzz targets of model formats (tests/regenerate):
//
//   make_format_fuzz_seeds tests/fuzz/corpus
#include <fstream>
#include <string>

#include "tests/fuzz/seeds_main.h"
#include "tests/tools/formats/archive/array_files.h"
#include "tests/tools/formats/archive/zip_writer.h"
#include "tests/tools/formats/gguf/gguf_writer.h"
#include "tests/tools/formats/onnx/onnx_bytes.h"
#include "tests/tools/formats/tflite_models.h"

namespace modelvault {
namespace {

bool Put(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary);
  out << bytes;
  return static_cast<bool>(out.flush());
}

bool WriteOnnx(const std::string& folder) {
  using namespace onnx;  // NOLINT: messages are made of many pieces.
  const std::string plain =
      Initializer(Tensor("w", kInt8, {2, 8}, "sixteen weights.")) + Initializer(Tensor("h", kFloat16, {2}, "half")) +
      Initializer(Tensor("n", kInt4, {3}, "ab")) + Initializer(Head("f", kFloat, {2}) + Bytes(kFloatData, "fourFOUR")) +
      Initializer(Head("i", kInt32, {2}) + Bytes(kInt32Data, Varint(300) + Varint(1))) +
      Initializer(Head("s", kString, {1}) + Bytes(kStringData, "text"));
  const std::string inner = Initializer(Tensor("inner", kInt8, {1}, "a")) + Node("deep", 5, Tensor("", kBool, {}, "b"));
  const std::string nested =
      Node("if", 6, Node("loop", 11, inner)) + Node("list", 10, Tensor("", kUint8, {1}, "c")) +
      Bytes(15, Bytes(1, Tensor("sparse", kDouble, {1}, "8 bytes!")) + Bytes(2, Tensor("at", kInt64, {1}, "8 BYTES!")));
  const Entries first = {{"location", "weights.bin"}, {"offset", "8"}, {"length", "16"}, {"checksum", "none"}};
  const std::string external = Initializer(ExternalTensor("w", kInt8, {2, 8}, first)) +
                               Initializer(ExternalTensor("same", kInt8, {16}, first)) +
                               Initializer(ExternalTensor("v", kFloat, {4}, {{"location", "data/more.bin"}}));
  const std::string quantised = Initializer(Tensor("w", kInt8, {2, 8}, "sixteen weights.")) +
                                Initializer(Tensor("scales", kFloat, {2}, "fourFOUR")) +
                                Initializer(Head("zeros", kInt8, {2}) + Bytes(kInt32Data, Varint(1) + Varint(300))) +
                                Operation("DequantizeLinear", {"w", "scales", "zeros"}, AxisOf(-2)) +
                                Operation("QLinearConv", {"x", "scales", "zeros", "w", "scales", "zeros"});
  return Put(folder + "quantised", Model(quantised)) && Put(folder + "plain", Model(plain)) &&
         Put(folder + "nested", Model(nested) + Bytes(20, Bytes(1, plain))) &&
         Put(folder + "external", Model(external));
}

bool WriteTflite(const std::string& corpus) {
  const std::string tflite = corpus + "/tflite/";
  const std::string dense = MakeTflite(
      {{{"w", 9, {2, 8}, 1, {1, 2, 3, 4, 5, 6, 7, 8}, {0, 0, 0, 0, 0, 0, 0, 0}, 1}, {"b", 2, {2}, 2, {0.5f}, {3}}},
       {{"w", 9, {2, 8}, 1}, {"", 17, {3}, 3}, {"sparse", 0, {9, 9}, 4, {}, {}, 0, true}}},
      {{}, {"sixteen weights."}, {"biasBIAS"}, {"ab"}, {"12345678"}});
  std::string appended = MakeTflite({{{"w", 9, {4}, 1}, {"v", 1, {2}, 2}}}, {{}, {"", 400, 4}, {"", 408, 4}});
  appended.resize(400);
  return Put(tflite + "dense", dense) && Put(tflite + "appended", appended + "wwww    vvvvtail") &&
         Put(tflite + "empty", MakeTflite({}, {}));
}

bool WriteGguf(const std::string& corpus) {
  GgufWriter plain(2);
  plain.Key("general.architecture", 8, GgufText("llama")).Key("on", 7, LeBytes(1, 1));
  plain.Tensor("f32", {2, 3}, 0, std::string(24, 'a')).Tensor("i8", {5}, 24, "bbbbb");
  GgufWriter blocks;
  blocks.Alignment(8).Tensor("q8", {2, 32}, 8, std::string(68, 'c')).Tensor("q4", {64}, 2, std::string(36, 'd'));
  blocks.Tensor("q6", {256}, 14, std::string(210, 'e'));
  GgufWriter keys;
  keys.Key("texts", 9, GgufArray(8, 2, GgufText("one") + GgufText("two")));
  keys.Key("nested", 9, GgufArray(9, 2, GgufArray(5, 1, LeBytes(7, 4)) + GgufArray(12, 1, LeBytes(9, 8))));
  return Put(corpus + "/gguf/plain", plain.File()) && Put(corpus + "/gguf/blocks", blocks.File()) &&
         Put(corpus + "/gguf/keys", keys.Tensor("w", {1}, 30, "ff").File());
}

bool WriteNumpy(const std::string& corpus) {
  ZipMemberOptions zip64, deflated;
  zip64.zip64 = true;
  deflated.method = 8;
  deflated.whole_size = 100;
  return Put(corpus + "/npy/floats", Npy("<f4", "2, 3", std::string(24, 'a'))) &&
         Put(corpus + "/npy/fortran", Npy(">f8", "2, 1", std::string(16, 'b'), true)) &&
         Put(corpus + "/npy/structured",
             NpyWithHeader("{'descr': [('a', '<f4'), ('b', '|u1', (3,))], 'fortran_order': False, "
                           "'shape': (2,), }",
                           std::string(14, 'c'), 3)) &&
         Put(corpus + "/npz/stored", ZipWriter()
                                         .Member("w.npy", Npy("<f2", "4,", "aabbccdd"), zip64)
                                         .Member("b.npy", Npy("|i1", "", "x"), zip64)
                                         .File()) &&
         Put(corpus + "/npz/mixed", ZipWriter()
                                        .Member("w.npy", "deflated", deflated)
                                        .Member("b.npy", Npy("|b1", "3,", std::string("\1\0\1", 3)))
                                        .File("a comment"));
}

bool WriteTorch(const std::string& corpus) {
  const std::string pickle = TorchPickle({{"w", "FloatStorage", "0", {2, 3}, {}},
                                          {"b", "BFloat16Storage", "1", {2}, {}},
                                          {"view", "FloatStorage", "0", {1, 2}, {2, 1}, 1, 6}});
  const std::string tensors = TorchFile(pickle, {std::string(24, 'a'), "bbbb"});
  const std::string unknown = TorchFile("not a pickle", {"some bytes"}, "big");
  return Put(corpus + "/pytorch/tensors", tensors) && Put(corpus + "/pytorch/unknown", unknown);
}

// Of the shards in tests/fuzz/shard_targets.h.
bool WriteShardIndex(const std::string& folder) {
  const std::string described = R"({
  "metadata": {"total_size": 3, "total_parameters": 3.0e0, "more": [null, true, {"a": -1}]},
  "weight_map": {
    "b": "m-1.safetensors",
    "a": "m-1.safetensors",
    "c": "m-2.safetensors"
  }
}
)";
  const std::string escaped = R"({"\u0077eight_map":{"\u0061":"m\u002d1.safetensors","b":"m-1.safetensors",)"
                              R"("c":"\u006d-2.safetensors"},"\ud83d\ude00":"\"\\\/\b\f\n\r\t"})";
  return Put(folder + "plain",
             R"({"weight_map":{"a":"m-1.safetensors","b":"m-1.safetensors","c":"m-2.safetensors"}})") &&
         Put(folder + "described", described) && Put(folder + "escaped", escaped);
}

bool Write(const std::string& corpus) {
  return WriteTflite(corpus) && WriteOnnx(corpus + "/onnx/") && WriteGguf(corpus) && WriteNumpy(corpus) &&
         WriteTorch(corpus) && WriteShardIndex(corpus + "/shard_index/");
}

}  // namespace
}  // namespace modelvault

int main(int argc, char** argv) { return modelvault::WriteSeeds(argc, argv, modelvault::Write); }
