// Writes the seeds of the fuzz target vault_view (tests/fuzz/vault_view_fuzz.cc) anew, for when the format changes
// (tests/regenerate):
//
//   make_vault_fuzz_seeds tests/fuzz/corpus
#include <fstream>
#include <string>

#include "tests/fuzz/seeds_main.h"
#include "tests/temp_folder.h"
#include "tests/vault/test_vault.h"
#include "vault/section_encoder.h"

namespace modelvault {
namespace {

// How the target takes what follows.
constexpr char kView = 0, kRepairedView = 1, kReader = 2, kHead = 3;

class SeedWriter {
 public:
  explicit SeedWriter(std::string corpus) : folder_(std::move(corpus) + "/vault_view/") {}

  void Put(const std::string& name, char mode, const std::string& bytes) {
    std::ofstream out(folder_ + name, std::ios::binary);
    out << mode << bytes;
    ok_ = ok_ && out.flush().good();
  }

  // A vault of `contents`, after `changes`.
  void PutVault(const std::string& name, char mode, const TestContents& contents,
                const VaultWriterOptions& options = {}, const VaultChanges& changes = {}) {
    const TempFolder folder;
    FileSystem& files = FileSystem::Default();
    absl::Status written = WriteVault(files, folder.File("v"), contents, options);
    if (written.ok() && !changes.remove.empty()) written = ChangeVault(files, folder.File("v"), changes);
    ok_ = ok_ && written.ok();
    Put(name, mode, folder.Read("v"));
  }

  bool ok() const { return ok_; }

 private:
  const std::string folder_;
  bool ok_ = true;
};

bool Write(const std::string& corpus) {
  SeedWriter out(corpus);
  const VaultWriterOptions wide = {.wide_chunks = true, .wide_index = true};
  out.PutVault("narrow", kView, MakeTestContents(70, 2, 300));
  out.PutVault("narrow_repaired", kRepairedView, MakeTestContents(70, 2, 300));
  out.PutVault("wide_repaired", kRepairedView, MakeTestContents(71, 2, 300), wide);
  out.PutVault("reader", kReader, MakeTestContents(72, 5, 300));
  out.PutVault("reader_hole", kReader, MakeTestContents(72, 5, 300), {},
               {.remove = {"dept-0", "dept-2"}, .rename = {}});
  out.PutVault("wide_reader", kReader, MakeTestContents(73, 3, 600), wide);
  out.PutVault("empty_reader", kReader, MakeTestContents(74, 0, 0));
  // Heads: the number of tensors, how much of the blob is at hand, the blob.
  const SegmentEntry segments[] = {{3, 1}, {1, 2}};
  out.Put("head", kHead, "\3\x20" + EncodeBlobHead({LayoutForm::kEachOnce, 3, TestLayout(3)}, segments) + "abcd");
  out.Put("head_layout", kHead, "\3\x0A" + EncodeBlobHead({LayoutForm::kEachOnce, 3, TestLayout(3)}, {}));
  const StoredLayout free = {LayoutForm::kFree, 3, std::string("\0\3\5\2\3\2\3", 7)};
  out.Put("head_free", kHead, "\3\x20" + EncodeBlobHead(free, segments) + "abcd");
  TestContents freely = MakeTestContents(75, 2, 300);
  freely.variants[1].layout = free;
  out.PutVault("reader_free", kReader, freely);
  TestContents talking = MakeTestContents(76, 2, 300);
  talking.network = "what they compute";
  out.PutVault("network_repaired", kRepairedView, talking);
  out.PutVault("reader_network", kReader, talking);
  out.Put("head_plain", kHead, "\3\2" + EncodeBlobHead({}, {}) + "abcdef");
  return out.ok();
}

}  // namespace
}  // namespace modelvault

int main(int argc, char** argv) { return modelvault::WriteSeeds(argc, argv, modelvault::Write); }
