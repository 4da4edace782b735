#ifndef MODELVAULT_TESTS_FIRMWARE_RISCV_BOOT_SIMULATED_FLASH_H_
#define MODELVAULT_TESTS_FIRMWARE_RISCV_BOOT_SIMULATED_FLASH_H_

// Two sectors of NOR flash in memory whose power can be cut before, or in the middle of, any erase or program.

#include <cstdint>
#include <string>

#include "firmware_riscv/boot/flash_driver.h"
#include "tests/vault/test_vault.h"

namespace modelvault {

// Thrown where the power goes; the flash stays as it was left.
struct PowerCut {};

// What a cut leaves of the operation it hits.
enum class CutKind {
  kBefore,        // Nothing happened.
  kFirstHalf,     // Erase: the first half is erased. Program: the upper bits are not programmed yet.
  kSecondHalf,    // The other half.
  kRandom,        // Erase: some bits are set. Program: some of the bits to be cleared are.
  kAllButOne,     // One byte, or one bit, is missing.
  kPreprogrammed  // Erase: all bits were cleared first, as some parts do, and that is how far it came. Program: all
                  // done.
};
inline constexpr CutKind kCutKinds[] = {CutKind::kBefore, CutKind::kFirstHalf, CutKind::kSecondHalf,
                                        CutKind::kRandom, CutKind::kAllButOne, CutKind::kPreprogrammed};

class SimulatedFlash {
 public:
  static constexpr uint32_t kSectorSize = 512;

  SimulatedFlash() : bytes_(MV_SELECTION_SECTORS * kSectorSize, '\xFF'), random_(11) {}

  // A view of the flash as it is now; copies of this class do not share bytes.
  mv_flash Driver() {
    mv_flash flash = {};
    for (unsigned s = 0; s < MV_SELECTION_SECTORS; ++s) flash.sector[s] = Sector(s);
    flash.sector_size = kSectorSize;
    flash.erase = &Erase;
    flash.program = &Program;
    flash.context = this;
    return flash;
  }

  uint8_t* Sector(unsigned s) { return reinterpret_cast<uint8_t*>(bytes_.data()) + s * kSectorSize; }
  const std::string& bytes() const { return bytes_; }
  void set_bytes(const std::string& bytes) { bytes_ = bytes; }

  // Erases and programs so far.
  int operations() const { return operations_; }
  // The power goes at the operation after `count` more.
  void CutAfter(int count, CutKind kind) {
    cut_at_ = operations_ + count;
    kind_ = kind;
  }
  void PowerUp() { cut_at_ = -1; }

  // From now on erases and programs do nothing and report it, or report nothing.
  void Break(bool reports) { broken_ = reports ? kReports : kSilent; }

  // Whether a program ever tried to set a bit.
  bool set_a_bit() const { return set_a_bit_; }

 private:
  enum Broken { kNo, kReports, kSilent };

  static mv_error Erase(void* self, unsigned sector) { return static_cast<SimulatedFlash*>(self)->Erase(sector); }
  static mv_error Program(void* self, unsigned sector, uint32_t offset, uint32_t word) {
    return static_cast<SimulatedFlash*>(self)->Program(sector, offset, word);
  }

  mv_error Erase(unsigned sector) {
    const bool cut = operations_++ == cut_at_;
    if (broken_ != kNo) return broken_ == kReports ? MV_FLASH_FAILED : MV_OK;
    uint8_t* const bytes = Sector(sector);
    for (uint32_t i = 0; i < kSectorSize; ++i) {
      uint8_t value = 0xFF;
      if (cut) {
        const bool first = i < kSelectionHalf;
        const uint8_t old = bytes[i];
        if (kind_ == CutKind::kBefore) value = old;
        if (kind_ == CutKind::kFirstHalf) value = first ? 0xFF : old;
        if (kind_ == CutKind::kSecondHalf) value = first ? old : 0xFF;
        if (kind_ == CutKind::kRandom) value = static_cast<uint8_t>(old | random_.Next());
        if (kind_ == CutKind::kAllButOne) value = i == 8 ? old : 0xFF;
        if (kind_ == CutKind::kPreprogrammed) value = 0;
      }
      bytes[i] = value;
    }
    if (cut) throw PowerCut();
    return MV_OK;
  }

  mv_error Program(unsigned sector, uint32_t offset, uint32_t word) {
    const bool cut = operations_++ == cut_at_;
    if (broken_ != kNo) return broken_ == kReports ? MV_FLASH_FAILED : MV_OK;
    uint8_t* const place = Sector(sector) + offset;
    const uint32_t old = LoadLe32(place);
    if ((word & ~old) != 0) set_a_bit_ = true;
    const uint32_t clears = old & ~word;
    uint32_t cleared = clears;
    if (cut) {
      if (kind_ == CutKind::kBefore) cleared = 0;
      if (kind_ == CutKind::kFirstHalf) cleared = clears & 0xFFFF;
      if (kind_ == CutKind::kSecondHalf) cleared = clears & 0xFFFF0000;
      if (kind_ == CutKind::kRandom) cleared = clears & static_cast<uint32_t>(random_.Next());
      if (kind_ == CutKind::kAllButOne) cleared = clears & (clears - 1);
    }
    StoreLe32(place, old & ~cleared);
    if (cut) throw PowerCut();
    return MV_OK;
  }

  static constexpr uint32_t kSelectionHalf = 140;  // Inside the record, so that both halves hold some of it.

  std::string bytes_;
  TestRandom random_;
  int operations_ = 0;
  int cut_at_ = -1;
  CutKind kind_ = CutKind::kBefore;
  Broken broken_ = kNo;
  bool set_a_bit_ = false;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FIRMWARE_RISCV_BOOT_SIMULATED_FLASH_H_
