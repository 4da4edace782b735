// Writes the seeds of the fuzz targets of model formats (tests/regenerate):
//
//   make_format_fuzz_seeds tests/fuzz/corpus
#include <cstdio>
#include <fstream>
#include <string>

#include "tests/tools/formats/tflite_models.h"

namespace modelvault {
namespace {

bool Put(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary);
  out << bytes;
  return static_cast<bool>(out.flush());
}

bool Write(const std::string& corpus) {
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

}  // namespace
}  // namespace modelvault

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
    return 64;
  }
  if (modelvault::Write(argv[1])) return 0;
  std::fprintf(stderr, "%s: cannot write the seeds\n", argv[1]);
  return 1;
}
