// The life of a board with one slot, for the campaign of cuts (update_campaign.h): each update is written over the
// vault that runs.
#ifndef MODELVAULT_TESTS_FIRMWARE_RISCV_UPDATE_IN_PLACE_CAMPAIGN_H_
#define MODELVAULT_TESTS_FIRMWARE_RISCV_UPDATE_IN_PLACE_CAMPAIGN_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "firmware_riscv/update/in_place_update.h"
#include "tests/firmware_riscv/update/update_campaign.h"

namespace modelvault {

template <UpdateSteps kSteps>
class InPlaceBoard {
 public:
  static constexpr uint32_t kSector = 512;
  static constexpr uint32_t kBlock = 256;
  static constexpr uint32_t kSlotSize = 8 * kSector;
  static constexpr uint32_t kVaultBegin = 3 * kSector;
  static constexpr uint32_t kSpareBegin = kVaultBegin + kSlotSize;

  explicit InPlaceBoard(const std::string& vault) : chip_(kSpareBegin + kSector, kSector), runs_(vault) {
    chip_.Put(kVaultBegin, vault);
  }

  NorChip& chip() { return chip_; }
  void Begin() { served_ = false; }

  // As CampaignBoard's.
  bool Cycle(const Chapter& chapter, Harm* harm) {
    const mv_region sectors = chip_.Region(0, 3 * kSector);
    vault_ = chip_.Region(kVaultBegin, kSlotSize);
    spare_ = chip_.Region(kSpareBegin, kSector);
    BasicDeviceState<kSteps> state(&sectors, nullptr);
    if (state.least_version() < floor_) ++harm->rollbacks;
    // An error is another try at the next start.
    if (kSteps.finish_first && IsInPlace(state) && Update(&state, Patches()[state.record().patch]) != MV_OK)
      return false;
    const SlotChoice choice = ChooseSlot(&state, Host());
    if (choice.source == SlotSource::kNothing) {
      ++harm->unbootable;
      return false;
    }
    uint64_t version = 0;
    if (CheckCampaignVault(Vault(), &version) != MV_OK) {
      ++harm->unverified;
      return false;
    }
    if (version < floor_) ++harm->rollbacks;
    runs_ = Vault();
    runs_.resize(LoadLe32(reinterpret_cast<const uint8_t*>(runs_.data()) + 8));
    if (state.Confirm(version) != MV_OK) return false;
    floor_ = version;
    if (chapter.offer.empty() || chapter.offer == runs_ || served_) return Ends(chapter, version);
    const mv_error error = Update(&state, PatchTo(chapter));
    uint64_t offered = 0;
    const bool good = CheckCampaignVault(chapter.offer, &offered) == MV_OK && offered >= floor_ && !chapter.bad_patch;
    if (error == MV_OK && !good) ++harm->unverified;
    served_ = error == MV_OK || !good;
    return error != MV_OK && !good && Ends(chapter, version);
  }

  void Audit(Harm* harm) {
    if (!chip_.IsSound(kVaultBegin, LoadLe32(reinterpret_cast<const uint8_t*>(Vault().data()) + 8))) ++harm->unverified;
    if (chip_.programmed_twice()) ++harm->misuses;
  }

  void Rot() { chip_.Put(kVaultBegin + kSector, std::string(kSector, '\0')); }

 private:
  // Of all boards, by id: what was in flash when an update began is there as long as it takes.
  static std::map<uint64_t, std::string>& Patches() {
    static std::map<uint64_t, std::string> patches;
    return patches;
  }

  std::string PatchTo(const Chapter& chapter) const {
    uint64_t version = 0;
    static_cast<void>(CheckCampaignVault(chapter.offer, &version));
    static std::map<std::pair<std::string, std::string>, std::string> built;
    std::string& patch = built[{runs_, chapter.offer}];
    if (patch.empty()) patch = BuildPatch(runs_, chapter.offer, kBlock, {{}, version}, PatchKind::kInPlace)->bytes;
    std::string damaged = patch;
    damaged.back() = static_cast<char>(damaged.back() ^ 1);
    const std::string& used = chapter.bad_patch ? damaged : patch;
    Patches()[LoadLe64(reinterpret_cast<const uint8_t*>(used.data()) + kPatchChecksumOffset)] = used;
    return used;
  }

  std::string Vault() {
    std::string bytes(kSlotSize, '\0');
    chip_.Read(kVaultBegin, reinterpret_cast<uint8_t*>(bytes.data()), kSlotSize);
    return bytes;
  }

  SlotHost Host() {
    SlotHost host = {};
    host.context = this;
    host.verify = [](void* self, unsigned slot, uint64_t* version) {
      return slot != 0 ? MV_NOT_FOUND : CheckCampaignVault(static_cast<InPlaceBoard*>(self)->Vault(), version);
    };
    host.prove = [](void*, PatchReader* reader, const mv_region* running, ByteSpan buffer) {
      std::string made;
      for (uint32_t size = reader->next_size(); size > 0; size = reader->next_size()) {
        const mv_error error = reader->Next(running, buffer.data);
        if (error != MV_OK) return error;
        made.append(reinterpret_cast<const char*>(buffer.data), size);
      }
      uint64_t version = 0;
      return CheckCampaignVault(made, &version);
    };
    return host;
  }

  bool Ends(const Chapter& chapter, uint64_t version) const {
    return version == chapter.runs && (chapter.offer.empty() || served_ || chapter.offer == runs_);
  }

  mv_error Update(BasicDeviceState<kSteps>* state, std::string patch) {
    const PatchSource source = {[](void* text, uint32_t offset, uint8_t* out, uint32_t size) {
                                  std::memcpy(out, static_cast<std::string*>(text)->data() + offset, size);
                                  return MV_OK;
                                },
                                &patch, static_cast<uint32_t>(patch.size()), true};
    uint8_t buffer[kBlock];
    return UpdateInPlace(state, {&vault_, &spare_}, Host(), source, {buffer, sizeof(buffer)}, nullptr);
  }

  NorChip chip_;
  mv_region vault_ = {};
  mv_region spare_ = {};
  std::string runs_;
  uint64_t floor_ = 0;
  bool served_ = false;
};

// On a board that comes with version 1.
inline std::vector<Chapter> InPlaceLife() {
  Chapter damaged = {CampaignVault(4, 3000), 3};
  damaged.bad_patch = true;
  return {
      {CampaignVault(2, 3000), 2},            // Two of its sectors stay.
      {CampaignVault(3, 3900), 3},            // Longer, by a sector and more.
      {CampaignVault(2, 3100), 3},            // Refused: old.
      {CampaignVault(5, 3100, kDamaged), 3},  // Refused: it would not verify.
      damaged,                                // Refused: the patch.
      {CampaignVault(7, 2200), 7},            // Shorter.
  };
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FIRMWARE_RISCV_UPDATE_IN_PLACE_CAMPAIGN_H_
