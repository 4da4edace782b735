#ifndef MODELVAULT_TESTS_FIRMWARE_RISCV_BOOT_SIMULATED_FLASH_H_
#define MODELVAULT_TESTS_FIRMWARE_RISCV_BOOT_SIMULATED_FLASH_H_

// Two sectors of flash in memory whose power can be cut before, in the middle of, or right after any erase or program.
// The driver around it is the one that docs/porting.md describes, and nothing more.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <set>
#include <string>
#include <utility>

#include "firmware_riscv/boot/flash_driver.h"
#include "tests/vault/test_vault.h"

namespace modelvault {

// Thrown where the power goes; the flash stays as it was left.
struct PowerCut {};

// What a cut leaves of the operation it hits.
enum class CutKind {
  kBefore,         // Nothing happened.
  kFirstHalf,      // Erase: the first half is erased. Program: the upper bits are not programmed yet.
  kSecondHalf,     // The other half.
  kRandom,         // Erase: some bits are set. Program: some of the bits to be cleared are.
  kAllButOne,      // One byte, or one bit, is missing.
  kPreprogrammed,  // Erase: all bits were cleared first, as some parts do, and that is how far it came. Program: all
                   // done.
  kAfter,          // All is done, and the caller does not come to know.
  kUnstable,       // What was about to change reads as anything, and differently each time.
};
inline constexpr CutKind kCutKinds[] = {CutKind::kBefore, CutKind::kFirstHalf, CutKind::kSecondHalf,
                                        CutKind::kRandom, CutKind::kAllButOne, CutKind::kPreprogrammed,
                                        CutKind::kAfter,  CutKind::kUnstable};

class SimulatedFlash {
 public:
  static constexpr uint32_t kSectorSize = 512;

  // The part programs `part_unit` bytes at a time (up to MV_SELECTION_UNIT): words as often as bits are left to clear,
  // larger units once between two erases. With `cached` the processor reads through a cache that holds what it read
  // until it is told to forget it.
  explicit SimulatedFlash(uint32_t part_unit = 4, bool cached = false)
      : part_unit_(part_unit), cached_(cached), bytes_(MV_SELECTION_SECTORS * kSectorSize, '\xFF'), random_(11) {
    seen_ = bytes_;
  }

  // The flash as it is now; copies of this class do not share bytes. What is unstable is read anew.
  mv_flash Driver() {
    Stir();
    seen_ = bytes_;
    mv_flash flash = {};
    for (unsigned s = 0; s < MV_SELECTION_SECTORS; ++s) {
      flash.sector[s] = reinterpret_cast<const uint8_t*>(cached_ ? seen_.data() : bytes_.data()) + s * kSectorSize;
    }
    flash.sector_size = kSectorSize;
    flash.erase = [](void* self, unsigned sector) { return static_cast<SimulatedFlash*>(self)->Erase(sector); };
    flash.program = [](void* self, unsigned sector, uint32_t offset, const uint8_t* unit) {
      return static_cast<SimulatedFlash*>(self)->Program(sector, offset, unit);
    };
    flash.context = this;
    if (cached_ && invalidates_) {
      flash.invalidate = [](void* self, unsigned sector, uint32_t offset, uint32_t size) {
        SimulatedFlash* const it = static_cast<SimulatedFlash*>(self);
        const size_t begin = sector * kSectorSize + offset;
        it->seen_.replace(begin, size, it->bytes_, begin, size);
      };
    }
    return flash;
  }

  uint8_t* Sector(unsigned s) { return reinterpret_cast<uint8_t*>(bytes_.data()) + s * kSectorSize; }
  const std::string& bytes() const { return bytes_; }
  void set_bytes(const std::string& bytes) { bytes_ = bytes; }

  // Erases and programs (of a unit of the part) so far.
  int operations() const { return operations_; }
  // The power goes at the operation after `count` more.
  void CutAfter(int count, CutKind kind) {
    cut_at_ = operations_ + count;
    kind_ = kind;
  }
  void PowerUp() { cut_at_ = -1; }

  // From now on erases and programs do nothing and report it, or report nothing.
  void Break(bool reports) { broken_ = reports ? kReports : kSilent; }
  // The driver lacks what a part with a cache needs.
  void ForgetToInvalidate() { invalidates_ = false; }

  // This unit takes no program any more, and reports it.
  void RefuseAt(unsigned sector, uint32_t offset) { refused_ = sector * kSectorSize + offset; }

  // The next program also leaves this word somewhere else, as an erase that was no good might.
  void LeaveStray(unsigned sector, uint32_t offset, uint32_t word) {
    stray_ = reinterpret_cast<uint8_t*>(bytes_.data()) + sector * kSectorSize + offset;
    stray_word_ = word;
  }

  // Whether a program was ever asked for that changes nothing.
  bool idle_program() const { return idle_program_; }
  // Whether a program ever tried to set a bit,
  bool set_a_bit() const { return set_a_bit_; }
  // or to program a unit again that can be programmed once.
  bool programmed_twice() const { return programmed_twice_; }

 private:
  enum Broken { kNo, kReports, kSilent };

  // What is unstable takes new values.
  void Stir() {
    for (const size_t at : unstable_) bytes_[at] = static_cast<char>(random_.Next());
  }

  mv_error Erase(unsigned sector) {
    Stir();
    const bool cut = operations_++ == cut_at_;
    if (broken_ != kNo) return broken_ == kReports ? MV_FLASH_FAILED : MV_OK;
    uint8_t* const bytes = Sector(sector);
    for (uint32_t i = 0; i < kSectorSize; ++i) {
      uint8_t value = 0xFF;
      const uint8_t old = bytes[i];
      if (cut) {
        const bool first = i < kSelectionHalf;
        if (kind_ == CutKind::kBefore) value = old;
        if (kind_ == CutKind::kFirstHalf) value = first ? 0xFF : old;
        if (kind_ == CutKind::kSecondHalf) value = first ? old : 0xFF;
        if (kind_ == CutKind::kRandom) value = static_cast<uint8_t>(old | random_.Next());
        if (kind_ == CutKind::kAllButOne) value = i == 8 ? old : 0xFF;
        if (kind_ == CutKind::kPreprogrammed) value = 0;
      }
      const size_t at = sector * kSectorSize + i;
      if (cut && kind_ == CutKind::kUnstable && old != 0xFF) {
        unstable_.insert(at);
      } else if (!cut || kind_ == CutKind::kAfter) {
        unstable_.erase(at);
      }
      bytes[i] = value;
      if (!cut) programmed_.erase(at);
    }
    if (cut) throw PowerCut();
    return MV_OK;
  }

  mv_error Program(unsigned sector, uint32_t offset, const uint8_t* unit) {
    Stir();
    if (sector * kSectorSize + offset == refused_) return MV_FLASH_FAILED;
    if (stray_ != nullptr) StoreLe32(std::exchange(stray_, nullptr), stray_word_);
    idle_program_ = idle_program_ || memcmp(unit, Sector(sector) + offset, MV_SELECTION_UNIT) == 0;
    for (uint32_t at = 0; at < MV_SELECTION_UNIT; at += part_unit_) {
      if (memcmp(unit + at, Sector(sector) + offset + at, part_unit_) == 0) continue;
      const mv_error error = ProgramPart(sector * kSectorSize + offset + at, unit + at);
      if (error != MV_OK) return error;
    }
    return MV_OK;
  }

  mv_error ProgramPart(size_t begin, const uint8_t* unit) {
    const bool cut = operations_++ == cut_at_;
    if (broken_ != kNo) return broken_ == kReports ? MV_FLASH_FAILED : MV_OK;
    if (part_unit_ > 4 && programmed_.count(begin) > 0) {
      // The part's error correction would not match any more: it reports that, and reads as anything.
      programmed_twice_ = programmed_twice_ || unstable_.count(begin) == 0;
      return MV_FLASH_FAILED;
    }
    if (!cut || kind_ != CutKind::kBefore) programmed_.insert(begin);
    for (uint32_t i = 0; i < part_unit_; i += 4) ProgramWord(begin + i, LoadLe32(unit + i), cut);
    if (cut) throw PowerCut();
    return MV_OK;
  }

  void ProgramWord(size_t at, uint32_t word, bool cut) {
    uint8_t* const place = reinterpret_cast<uint8_t*>(bytes_.data()) + at;
    const uint32_t old = LoadLe32(place);
    if ((word & ~old) != 0) set_a_bit_ = set_a_bit_ || unstable_.count(at) == 0;
    const uint32_t clears = old & ~word;
    uint32_t cleared = clears;
    if (cut) {
      if (kind_ == CutKind::kBefore) cleared = 0;
      if (kind_ == CutKind::kFirstHalf) cleared = clears & 0xFFFF;
      if (kind_ == CutKind::kSecondHalf) cleared = clears & 0xFFFF0000;
      if (kind_ == CutKind::kRandom) cleared = clears & static_cast<uint32_t>(random_.Next());
      if (kind_ == CutKind::kAllButOne) cleared = clears & (clears - 1);
    }
    for (size_t i = at; i < at + 4; ++i) {
      if (cut && kind_ == CutKind::kUnstable && clears != 0) unstable_.insert(i);
      if (!cut) unstable_.erase(i);
    }
    StoreLe32(place, old & ~cleared);
  }

  static constexpr uint32_t kSelectionHalf = 140;  // Inside the record, so that both halves hold some of it.

  uint32_t part_unit_;
  bool cached_;
  bool invalidates_ = true;
  std::string bytes_;
  std::string seen_;             // What the cache holds.
  std::set<size_t> unstable_;    // Bytes.
  std::set<size_t> programmed_;  // Units of the part since their erase.
  TestRandom random_;
  int operations_ = 0;
  int cut_at_ = -1;
  CutKind kind_ = CutKind::kBefore;
  Broken broken_ = kNo;
  size_t refused_ = SIZE_MAX;
  uint8_t* stray_ = nullptr;
  uint32_t stray_word_ = 0;
  bool idle_program_ = false;
  bool set_a_bit_ = false;
  bool programmed_twice_ = false;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FIRMWARE_RISCV_BOOT_SIMULATED_FLASH_H_
