// Writes the seeds of the fuzz targets update_patch and patch_line (tests/fuzz/corpus).
#include <filesystem>
#include <fstream>
#include <string>

#include "firmware_riscv/update/patch_line.h"
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

// The frames of a patch as they go over the line.
std::string Frames(const std::string& patch) {
  std::string line;
  for (uint32_t i = 0; i * kStageFrame < patch.size(); ++i) {
    const std::string bytes = patch.substr(i * kStageFrame, kStageFrame);
    std::string frame(kLineHeadSize, '\0');
    uint8_t* const head = reinterpret_cast<uint8_t*>(frame.data());
    StoreLe32(head, kLineMagic);
    StoreLe32(head + 4, i);
    StoreLe32(head + 8, static_cast<uint32_t>(bytes.size()));
    line += frame + bytes + std::string(kLineChecksumSize, '\0');  // The target makes them right.
  }
  return line;
}

bool WriteLineSeed(const std::string& folder, const std::string& name, const std::string& line) {
  std::ofstream file(folder + "/" + name, std::ios::binary);
  file << '\1' << line;
  return file.flush().good();
}

bool WriteLineSeeds(const std::string& corpus) {
  const std::string folder = corpus + "/patch_line";
  std::filesystem::create_directories(folder);
  const absl::StatusOr<BuiltPatch> patch = BuildPatch(SeedOldVault(), SeedBytes(3, 2200), 512);
  if (!patch.ok()) return false;
  const std::string line = Frames(patch->bytes);
  const std::string twice = line.substr(0, kLineFrameRoom) + line;
  return WriteLineSeed(folder, "whole", line) && WriteLineSeed(folder, "twice", twice) &&
         WriteLineSeed(folder, "lost", "noise" + line.substr(0, 700) + line);
}

bool WriteUpdateSeeds(const std::string& corpus) {
  if (!WriteLineSeeds(corpus)) return false;
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
