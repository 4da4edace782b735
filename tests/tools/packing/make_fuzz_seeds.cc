// Writes the seeds of the fuzz target update_patch (tests/fuzz/corpus/update_patch).
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/fuzz/seeds_main.h"
#include "tests/fuzz/update_seeds.h"
#include "tools/packing/patch_builder.h"

namespace modelvault {
namespace {

bool WriteSeed(const std::string& folder, const std::string& name, char how, const std::string& new_vault,
               uint32_t block, PatchKind kind = PatchKind::kTwoSlots) {
  const absl::StatusOr<BuiltPatch> patch = BuildPatch(SeedOldVault(), new_vault, block, {}, kind);
  if (!patch.ok()) return false;
  std::ofstream file(folder + "/" + name, std::ios::binary);
  file << how << patch->bytes;
  return file.flush().good();
}

bool WriteUpdateSeeds(const std::string& corpus) {
  const std::string folder = corpus + "/update_patch";
  std::filesystem::create_directories(folder);
  const std::string old_vault = SeedOldVault();
  const std::string fresh = SeedBytes(2, 60);
  return WriteSeed(folder, "same", 0, old_vault, 512) &&
         WriteSeed(folder, "inserted", 1, old_vault.substr(0, 700) + fresh + old_vault.substr(700), 512) &&
         WriteSeed(folder, "moved_small_blocks", 1, old_vault.substr(1200) + fresh + old_vault.substr(0, 1200), 256) &&
         WriteSeed(folder, "line", 3, fresh + old_vault.substr(100, 900), 512) &&
         WriteSeed(folder, "in_place", 5, old_vault.substr(0, 600) + fresh + old_vault.substr(900), 512,
                   PatchKind::kInPlace) &&
         WriteSeed(folder, "erased", 1, old_vault.substr(0, 600) + std::string(900, '\xFF') + fresh, 512);
}

}  // namespace
}  // namespace modelvault

int main(int argc, char** argv) { return modelvault::WriteSeeds(argc, argv, modelvault::WriteUpdateSeeds); }
