// A board's life, cut off everywhere: updates, good ones and bad ones, switches, floors, key sets. Each chapter of it
// is run once without a cut, and then anew for each of its flash operations, with the power cut before, inside and
// right behind that one, and what is left half done reading in each way; after that the board gets the time that it
// needs.
#ifndef MODELVAULT_TESTS_FIRMWARE_RISCV_UPDATE_UPDATE_CAMPAIGN_H_
#define MODELVAULT_TESTS_FIRMWARE_RISCV_UPDATE_UPDATE_CAMPAIGN_H_

#include <xxhash.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "codec/core/bytes.h"
#include "firmware_riscv/update/slot_update.h"
#include "tests/firmware_riscv/update/cut_campaign.h"
#include "tests/firmware_riscv/update/nor_chip.h"
#include "tools/packing/patch_builder.h"

namespace modelvault {

// What stands for a vault: u64 version, u32 size, u32 flags, u64 XXH64 of all the rest, contents.
inline constexpr uint32_t kHangs = 1;    // Verifies, and never gets to confirm itself.
inline constexpr uint32_t kDamaged = 2;  // Does not verify.

inline std::string CampaignVault(uint64_t version, uint32_t size, uint32_t flags = 0) {
  std::string vault(size, '\0');
  SplitMix64 common(7), own(version * 16 + flags);
  for (char& c : vault) c = static_cast<char>(common.Next());
  // What differs: the middle of the second sector, and all from the fifth on.
  for (size_t i = 700; i < 760 && i < size; ++i) vault[i] = static_cast<char>(own.Next());
  for (size_t i = 2048; i < size; ++i) vault[i] = static_cast<char>(own.Next());
  uint8_t* const bytes = reinterpret_cast<uint8_t*>(vault.data());
  StoreLe64(bytes, version);
  StoreLe32(bytes + 8, size);
  StoreLe32(bytes + 12, flags);
  StoreLe64(bytes + 16, 0);
  StoreLe64(bytes + 16, XXH64(bytes, size, flags == kDamaged ? 1 : 0));
  return vault;
}

inline mv_error CheckCampaignVault(std::string vault, uint64_t* version) {
  uint8_t* const bytes = reinterpret_cast<uint8_t*>(vault.data());
  const uint32_t size = LoadLe32(bytes + 8);
  if (size < 24 || size > vault.size()) return MV_BAD_HEADER;
  const uint64_t checksum = LoadLe64(bytes + 16);
  StoreLe64(bytes + 16, 0);
  *version = LoadLe64(bytes);
  return checksum == XXH64(bytes, size, 0) ? MV_OK : MV_CHECKSUM_MISMATCH;
}

// What must never happen, counted.
struct Harm {
  int cuts = 0;
  int unbootable = 0;  // Nothing starts.
  int unverified = 0;  // What starts, or is active, is not whole.
  int rollbacks = 0;   // A vault below a floor that was set starts, or the floor is lost.
  int stuck = 0;       // The board does not get where it should.
  int misuses = 0;     // A unit was programmed twice.

  std::string first = {};  // Where the first of it was seen.

  int total() const { return unbootable + unverified + rollbacks + stuck + misuses; }
};

inline std::ostream& operator<<(std::ostream& os, const Harm& harm) {
  return os << harm.cuts << " cuts: " << harm.unbootable << " unbootable, " << harm.unverified << " unverified, "
            << harm.rollbacks << " rollbacks, " << harm.stuck << " stuck, " << harm.misuses << " misuses" << harm.first;
}

// What the board is offered in a chapter, and what it is to be at its end.
struct Chapter {
  std::string offer = {};   // A vault; empty: none.
  uint64_t runs = 0;        // The version that runs in the end.
  uint8_t key_set = 0;      // Its bytes, where they are to change.
  uint64_t revocation = 0;  // Likewise.
  bool bad_patch = false;   // The patch to it is damaged.
};

template <UpdateSteps kSteps>
class CampaignBoard {
 public:
  static constexpr uint32_t kSector = 512;
  static constexpr uint32_t kSlotSize = 8 * kSector;
  static constexpr uint32_t kSlotBegin[kSlots] = {3 * kSector, 3 * kSector + kSlotSize};

  explicit CampaignBoard(const std::string& vault) : chip_(3 * kSector + kSlots * kSlotSize, kSector), runs_(vault) {
    chip_.Put(kSlotBegin[0], vault);
  }

  NorChip& chip() { return chip_; }
  bool served() const { return served_; }
  void Begin() { served_ = false; }

  // From a start to the next one, or to where the power goes. True if the chapter is at its end.
  bool Cycle(const Chapter& chapter, Harm* harm) {
    const mv_region sectors = chip_.Region(0, 3 * kSector);
    Regions();
    BasicDeviceState<kSteps> state(&sectors, nullptr);
    if (state.least_version() < floor_ || state.record().least_revocation < revocation_) ++harm->rollbacks;
    const SlotChoice choice = ChooseSlot(&state, Host());
    if (choice.source == SlotSource::kNothing) {
      ++harm->unbootable;
      return false;
    }
    const std::string vault = Slot(choice.slot);
    uint64_t version = 0;
    if (CheckCampaignVault(vault, &version) != MV_OK) {
      ++harm->unverified;
      return false;
    }
    if (version < floor_) ++harm->rollbacks;
    if (LoadLe32(reinterpret_cast<const uint8_t*>(vault.data()) + 12) == kHangs) return false;
    runs_ = vault.substr(0, LoadLe32(reinterpret_cast<const uint8_t*>(vault.data()) + 8));
    if (choice.source == SlotSource::kTrial && state.Confirm(version) == MV_OK) floor_ = version;
    if (!Settle(&state, chapter)) return false;
    if (chapter.offer.empty() || chapter.offer == runs_ || served_) return Ends(state, chapter, version);
    const mv_error error = Update(&state, chapter.offer);
    uint64_t offered = 0;
    const bool good = CheckCampaignVault(chapter.offer, &offered) == MV_OK && offered >= floor_;
    if (error == MV_OK && !good) ++harm->unverified;
    served_ = error == MV_OK || !good;
    return error != MV_OK && !good && Ends(state, chapter, version);
  }

  // What no reading shows: whether the active slot is whole, or reads well by chance.
  void Audit(Harm* harm) {
    const mv_region sectors = chip_.Region(0, 3 * kSector);
    const DeviceRecord record = BasicDeviceState<kSteps>(&sectors, nullptr).record();
    if (!chip_.IsSound(kSlotBegin[record.active], LoadLe32(Bytes(record.active).data() + 8))) ++harm->unverified;
    if (chip_.programmed_twice()) ++harm->misuses;
  }

  // The vault that is active loses a sector.
  void Rot() {
    const mv_region sectors = chip_.Region(0, 3 * kSector);
    const DeviceRecord record = BasicDeviceState<kSteps>(&sectors, nullptr).record();
    chip_.Put(kSlotBegin[record.active] + kSector, std::string(kSector, '\0'));
  }

 private:
  void Regions() {
    for (unsigned s = 0; s < kSlots; ++s) slots_[s] = chip_.Region(kSlotBegin[s], kSlotSize);
  }
  std::vector<uint8_t> Bytes(unsigned slot) {
    std::vector<uint8_t> bytes(kSlotSize);
    chip_.Read(kSlotBegin[slot], bytes.data(), kSlotSize);
    return bytes;
  }
  std::string Slot(unsigned slot) {
    const std::vector<uint8_t> bytes = Bytes(slot);
    return std::string(bytes.begin(), bytes.end());
  }
  SlotHost Host() {
    return {[](void* self, unsigned slot, uint64_t* version) {
              return CheckCampaignVault(static_cast<CampaignBoard*>(self)->Slot(slot), version);
            },
            this};
  }

  // Key set and revocation as they should be.
  bool Settle(BasicDeviceState<kSteps>* state, const Chapter& chapter) {
    uint8_t digest[32];
    std::memset(digest, chapter.key_set, sizeof(digest));
    const bool other = std::memcmp(state->record().key_set, digest, sizeof(digest)) != 0;
    if (chapter.key_set != 0 && other && state->AcceptKeySet(digest) != MV_OK) return false;
    if (state->RaiseRevocation(chapter.revocation) != MV_OK) return false;
    revocation_ = state->record().least_revocation;
    return true;
  }

  bool Ends(const BasicDeviceState<kSteps>& state, const Chapter& chapter, uint64_t version) const {
    const DeviceRecord& record = state.record();
    return version == chapter.runs && (chapter.offer.empty() || served_ || chapter.offer == runs_) &&
           (chapter.key_set == 0 || record.key_set[31] == chapter.key_set) &&
           record.least_revocation >= chapter.revocation && record.least_version >= floor_;
  }

  mv_error Update(BasicDeviceState<kSteps>* state, const std::string& offer) {
    static std::map<std::pair<std::string, std::string>, std::string> patches;
    std::string& patch = patches[{runs_, offer}];
    // The header promises too much: what is refused is refused for what was written.
    if (patch.empty()) patch = BuildPatch(runs_, offer, kSector, {{}, UINT64_MAX})->bytes;
    const PatchSource source = {[](void* text, uint32_t offset, uint8_t* out, uint32_t size) {
                                  std::memcpy(out, static_cast<std::string*>(text)->data() + offset, size);
                                  return MV_OK;
                                },
                                &patch, static_cast<uint32_t>(patch.size()), true};
    uint8_t buffer[kSector];
    return UpdateSlot(state, {{&slots_[0], &slots_[1]}}, Host(), source, {buffer, sizeof(buffer)}, nullptr);
  }

  NorChip chip_;
  mv_region slots_[kSlots] = {};
  std::string runs_;
  uint64_t floor_ = 0;       // That a Confirm() has acknowledged.
  uint64_t revocation_ = 0;  // Likewise.
  bool served_ = false;      // The offer of this chapter was answered.
};

// The chapters of the whole life, on a board that comes with version 1.
inline std::vector<Chapter> WholeLife() {
  return {
      {CampaignVault(2, 3000), 2},           {"", 2, 0x21, 4},
      {CampaignVault(3, 3500), 3},            // Into the slot of version 1.
      {CampaignVault(2, 3100), 3},            // Refused: old.
      {CampaignVault(5, 3100, kDamaged), 3},  // Refused: it does not verify.
      {CampaignVault(6, 3300, kHangs), 3},    // Given up.
      {CampaignVault(7, 2900), 7},            // Into its slot.
      {CampaignVault(8, 2900), 8, 0x22, 5},
  };
}
// Without updates: the state alone.
inline std::vector<Chapter> StateLife() { return {{"", 1, 0x21, 4}, {"", 1, 0x22, 5}, {"", 1, 0x23, 5}}; }

struct CampaignOptions {
  int begin = 0;          // The first operation of a chapter that is cut.
  int stride = 1;         // From there on.
  int second_stride = 0;  // Of those cut after that; 0: there is one cut.
  bool all_moods = true;  // Else one each, by turns.
  bool to_first_harm = false;
};

template <typename Board>
class Campaign : private CutCampaign<Board, Chapter, Harm> {
  using Base = CutCampaign<Board, Chapter, Harm>;
  using Base::Finish, Base::RunToCut, Base::harm_, Base::where_;

 public:
  explicit Campaign(const CampaignOptions& options) : options_(options) {}

  Harm Run(const std::vector<Chapter>& life) {
    Board board(CampaignVault(1, 3000));
    for (const Chapter& chapter : life) {
      where_ = {static_cast<int>(&chapter - life.data())};
      board.Begin();
      const Board start = board;
      const int before = board.chip().operations();
      if (!Finish(&board, chapter)) return harm_;
      board.Audit(&harm_);
      const int operations = board.chip().operations() - before;
      for (int n = options_.begin; n < operations; n += options_.stride) {
        CutAt(start, chapter, n, operations);
        if (options_.to_first_harm && harm_.total() > 0) return harm_;
      }
      CheckRot(board, chapter);
    }
    return harm_;
  }

 private:
  Mood NextMood() { return kMoods[turn_++ % std::size(kMoods)]; }

  void CutAt(const Board& start, const Chapter& chapter, int n, int operations) {
    for (const ChipCut kind : kChipCuts) {
      for (const Mood mood : kMoods) {
        if (options_.to_first_harm && harm_.total() > 0) return;
        Board board = start;
        if (!RunToCut(&board, chapter, n, kind)) return;
        const Mood reads = options_.all_moods ? mood : NextMood();
        board.chip().PowerUp(reads, 1000 + static_cast<uint64_t>(n));
        where_ = {where_[0], n, static_cast<int>(kind), static_cast<int>(reads), -1, -1, -1};
        if (options_.second_stride > 0) {
          for (int m = n % options_.second_stride; m < operations; m += options_.second_stride) {
            Board again = board;
            const ChipCut second = kChipCuts[(n + m) % 3];
            where_[4] = m;
            where_[5] = static_cast<int>(second);
            if (!RunToCut(&again, chapter, m, second)) break;
            if (options_.to_first_harm && harm_.total() > 0) return;
            for (const Mood then : kMoods) {
              Board last = again;
              Recover(&last, chapter, options_.all_moods ? then : NextMood());
              if (!options_.all_moods) break;
            }
          }
        } else {
          Recover(&board, chapter, NextMood());
        }
        if (!options_.all_moods || kind != ChipCut::kInside) break;  // Nothing is half done.
      }
    }
  }

  void Recover(Board* board, const Chapter& chapter, Mood mood) {
    where_[6] = static_cast<int>(mood);
    if (options_.second_stride > 0) board->chip().PowerUp(mood, 77);
    if (!Finish(board, chapter)) return;
    board->Audit(&harm_);
    for (const Mood then : kMoods) {
      board->chip().PowerUp(then, 99);
      Finish(board, chapter);  // An attempt whose mark was half done may come again.
    }
  }

  // An active vault that goes bad later is not started; an older one that is below the floor neither.
  void CheckRot(const Board& whole, const Chapter& chapter) {
    Board board = whole;
    board.Rot();
    Harm harm;
    board.Cycle(chapter, &harm);
    harm_.unverified += harm.unverified;
    harm_.rollbacks += harm.rollbacks;
  }

  const CampaignOptions options_;
  unsigned turn_ = 0;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FIRMWARE_RISCV_UPDATE_UPDATE_CAMPAIGN_H_
