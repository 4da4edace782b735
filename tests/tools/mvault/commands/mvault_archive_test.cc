// NumPy's and PyTorch's files through mvault.
#include <gtest/gtest.h>

#include <string>

#include "tests/tools/formats/archive/array_files.h"
#include "tests/tools/mvault/format_round_trip.h"
#include "tests/vault/test_vault.h"

namespace modelvault {
namespace {

// Bytes of a base and, changed here and there, of two variants.
std::map<std::string, std::string> Weights(size_t size) {
  TestRandom random(size);
  std::map<std::string, std::string> weights = {{"base", random.Bytes(size)}};
  for (const char* name : {"cardiology", "radiology"}) {
    std::string bytes = weights["base"];
    for (char& byte : bytes) {
      if (random.Below(30) == 0) byte = static_cast<char>(byte ^ 1);
    }
    weights[name] = bytes;
  }
  return weights;
}

// With what `make` makes of the weights of each; as they are, and whole.
template <typename Make>
void ExpectRoundTrips(const std::string& extension, const std::string& tensor, const Make& make) {
  ModelFiles files;
  for (const auto& [name, bytes] : Weights(64 * 96)) files[name] = make(name, bytes);
  ExpectRoundTrip(files, extension, tensor);
  ExpectRoundTrip(files, extension, tensor, {"--whole-file"});
}

TEST(MvaultArchiveTest, ArraysComeBack) {
  ExpectRoundTrips(".npy", "[64, 96]",
                   [](const std::string&, const std::string& bytes) { return Npy("|i1", "64, 96", bytes); });
}

TEST(MvaultArchiveTest, ArchivesOfArraysComeBack) {
  ExpectRoundTrips(".npz", "[64, 48]", [](const std::string& name, const std::string& bytes) {
    ZipMemberOptions deflated, zip64;
    deflated.method = 8;
    deflated.whole_size = 1000;
    zip64.zip64 = name == "base";
    return ZipWriter()
        .Member("w.npy", Npy("<f2", "64, 48", bytes), zip64)
        .Member("packed.npy", bytes.substr(0, 100), deflated)
        .File(name);
  });
}

TEST(MvaultArchiveTest, PyTorchsArchivesComeBack) {
  for (const char* const extension : {".pt", ".pth", ".bin"}) {
    ExpectRoundTrips(extension, "layer.weight", [](const std::string&, const std::string& bytes) {
      return TorchFile(TorchPickle({{"layer.weight", "CharStorage", "0", {64, 96}, {}}}), {bytes, bytes.substr(0, 99)});
    });
  }
}

}  // namespace
}  // namespace modelvault
