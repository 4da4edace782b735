// A NOR flash in memory whose power can be cut before, inside or right behind any erase or program. Reads are calls, so
// that what a cut left half done reads anew each time: as it was, as it should be, or as anything.
#ifndef MODELVAULT_TESTS_FIRMWARE_RISCV_UPDATE_NOR_CHIP_H_
#define MODELVAULT_TESTS_FIRMWARE_RISCV_UPDATE_NOR_CHIP_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "codec/split_mix_64.h"
#include "firmware_riscv/boot/flash_region.h"

namespace modelvault {

// Thrown where the power goes; the flash stays as it was left.
struct PowerIsCut {};

enum class ChipCut { kBefore, kInside, kBehind };
inline constexpr ChipCut kChipCuts[] = {ChipCut::kBefore, ChipCut::kInside, ChipCut::kBehind};

// How what is half done reads. kOld and kNew are the luck that a check may have, and the next read may not.
enum class Mood { kOld, kNew, kZeros, kEach };
inline constexpr Mood kMoods[] = {Mood::kOld, Mood::kNew, Mood::kZeros, Mood::kEach};

class NorChip {
 public:
  NorChip(uint32_t size, uint32_t sector_size)
      : sector_size_(sector_size), bytes_(size, '\xFF'), programmed_(size / MV_SELECTION_UNIT, false) {}

  // `context` of the region is this object, which must not move.
  mv_region Region(uint32_t begin, uint32_t size) {
    mv_region region = {};
    region.size = size;
    region.sector_size = sector_size_;
    parts_[begin] = {this, begin};
    region.context = &parts_[begin];
    region.read = [](void* part, uint32_t offset, uint8_t* out, uint32_t n) {
      return Of(part)->Read(Begin(part) + offset, out, n);
    };
    region.erase = [](void* part, uint32_t offset) { return Of(part)->Erase(Begin(part) + offset); };
    region.program = [](void* part, uint32_t offset, const uint8_t* unit) {
      return Of(part)->Program(Begin(part) + offset, unit);
    };
    return region;
  }

  // As it is, without a chip's doings; the place must not be half done.
  void Put(uint32_t offset, const std::string& bytes) {
    bytes_.replace(offset, bytes.size(), bytes);
    for (size_t unit = offset / MV_SELECTION_UNIT; unit * MV_SELECTION_UNIT < offset + bytes.size(); ++unit) {
      programmed_[unit] = true;
    }
  }
  bool IsSound(uint32_t offset, uint32_t size) const {
    const auto found = torn_.lower_bound(offset / MV_SELECTION_UNIT);
    return found == torn_.end() || found->first * MV_SELECTION_UNIT >= offset + size;
  }

  int operations() const { return operations_; }
  // The power goes at the operation after `count` more.
  void CutAfter(int count, ChipCut kind) {
    cut_at_ = operations_ + count;
    kind_ = kind;
  }
  void PowerUp(Mood mood, uint64_t seed) {
    cut_at_ = -1;
    mood_ = mood;
    random_ = SplitMix64(seed);
  }
  // A unit that was whole was programmed without an erase.
  bool programmed_twice() const { return programmed_twice_; }

  mv_error Read(uint32_t offset, uint8_t* out, uint32_t size) {
    std::memcpy(out, bytes_.data() + offset, size);
    for (auto it = torn_.lower_bound(offset / MV_SELECTION_UNIT);
         it != torn_.end() && it->first * MV_SELECTION_UNIT < offset + size; ++it) {
      uint8_t now[MV_SELECTION_UNIT];
      ReadTorn(it->second, now);
      for (uint32_t i = 0; i < MV_SELECTION_UNIT; ++i) {
        const size_t at = it->first * MV_SELECTION_UNIT + i;
        if (at >= offset && at < offset + size) out[at - offset] = now[i];
      }
    }
    return MV_OK;
  }

 private:
  struct Part {
    NorChip* chip;
    uint32_t begin;
  };
  struct Torn {
    std::string before, after;
  };

  static NorChip* Of(void* part) { return static_cast<Part*>(part)->chip; }
  static uint32_t Begin(void* part) { return static_cast<Part*>(part)->begin; }

  void ReadTorn(const Torn& torn, uint8_t* out) {
    std::memcpy(out, (mood_ == Mood::kOld ? torn.before : torn.after).data(), MV_SELECTION_UNIT);
    if (mood_ == Mood::kZeros) std::memset(out, 0, MV_SELECTION_UNIT);
    if (mood_ != Mood::kEach) return;
    const uint64_t how = random_.Below(3);
    if (how == 0) std::memcpy(out, torn.before.data(), MV_SELECTION_UNIT);
    for (uint32_t i = 0; how == 2 && i < MV_SELECTION_UNIT; ++i) out[i] = static_cast<uint8_t>(random_.Next());
  }

  bool Cut() { return operations_++ == cut_at_; }

  mv_error Erase(uint32_t offset) {
    const bool cut = Cut();
    if (cut && kind_ == ChipCut::kBefore) throw PowerIsCut();
    const bool inside = cut && kind_ == ChipCut::kInside;
    for (size_t unit = offset / MV_SELECTION_UNIT; unit < (offset + sector_size_) / MV_SELECTION_UNIT; ++unit) {
      const std::string erased(MV_SELECTION_UNIT, '\xFF');
      const std::string old = bytes_.substr(unit * MV_SELECTION_UNIT, MV_SELECTION_UNIT);
      if (inside) {  // Also of what was erased: some parts clear all bits first.
        const auto found = torn_.find(unit);
        torn_[unit] = {found != torn_.end() ? found->second.before : old, erased};
      } else {
        torn_.erase(unit);
      }
      bytes_.replace(unit * MV_SELECTION_UNIT, MV_SELECTION_UNIT, erased);
      programmed_[unit] = false;
    }
    if (cut) throw PowerIsCut();
    return MV_OK;
  }

  mv_error Program(uint32_t offset, const uint8_t* bytes) {
    const bool cut = Cut();
    if (cut && kind_ == ChipCut::kBefore) throw PowerIsCut();
    const size_t unit = offset / MV_SELECTION_UNIT;
    const std::string wanted(reinterpret_cast<const char*>(bytes), MV_SELECTION_UNIT);
    const std::string old = bytes_.substr(offset, MV_SELECTION_UNIT);
    if (torn_.count(unit) > 0) {
      torn_[unit].after = wanted;  // What was half done is no better for it.
      if (cut) throw PowerIsCut();
      return MV_OK;
    }
    if (programmed_[unit]) {
      programmed_twice_ = true;
      return MV_FLASH_FAILED;
    }
    programmed_[unit] = true;
    if (cut && kind_ == ChipCut::kInside) torn_[unit] = {old, wanted};
    bytes_.replace(offset, MV_SELECTION_UNIT, wanted);
    if (cut) throw PowerIsCut();
    return MV_OK;
  }

  const uint32_t sector_size_;
  std::string bytes_;
  std::vector<bool> programmed_;
  std::map<size_t, Torn> torn_;  // By unit.
  std::map<uint32_t, Part> parts_;
  int operations_ = 0;
  int cut_at_ = -1;
  ChipCut kind_ = ChipCut::kBefore;
  Mood mood_ = Mood::kNew;
  SplitMix64 random_{1};
  bool programmed_twice_ = false;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FIRMWARE_RISCV_UPDATE_NOR_CHIP_H_
