// Which variant the board boots: kept in two flash sectors so that power may fail at any moment, and changed the way
// boot loaders change images: a new choice is on test until a boot with it went well.
//
// A sector holds at most one record, at its front (words, little-endian):
//
//   offset  size  field
//        0     4  magic 0x3153564D ("MVS1")
//        4     4  sequence: the newer of two records has the larger one (modulo 2^32)
//        8     4  name size, 0 … 255; 0 is the base
//       12   256  name, padded with 0xFF
//      268     8  XXH64 of the bytes before, programmed last: a record is whole or is not one
//      276     4  attempts: a zero bit for each boot that has tried this record on test
//      280     4  0x5AA5C33C: confirmed by a good boot
//      284     4  0xA53C5AC3: rejected after a bad one
//
// The last three words start erased and are programmed where they lie, without an erase: a mark costs one program. A
// mark counts if at most 7 of its bits differ, so one that was cut off in the middle is either there or not, a flipped
// bit does not undo it, and neither an erased word nor one of zeros is one.
//
// A new record never takes the sector of the one to fall back to, and its sector is erased first even if it reads
// erased, since an erase that was cut short may read well and not stay so. Whatever is interrupted, the other sector
// holds a record that was confirmed, or there was none and the base boots.
#ifndef MODELVAULT_FIRMWARE_RISCV_BOOT_BOOT_SELECTION_H_
#define MODELVAULT_FIRMWARE_RISCV_BOOT_BOOT_SELECTION_H_

#include "codec/core/bytes.h"
#include "firmware_riscv/boot/flash_driver.h"

namespace modelvault {

inline constexpr uint32_t kSelectionMagic = 0x3153564D;
inline constexpr uint32_t kSelectionSequenceOffset = 4;
inline constexpr uint32_t kSelectionNameSizeOffset = 8;
inline constexpr uint32_t kSelectionNameOffset = 12;
inline constexpr uint32_t kSelectionNameRoom = 256;
inline constexpr uint32_t kSelectionChecksumOffset = kSelectionNameOffset + kSelectionNameRoom;
inline constexpr uint32_t kSelectionAttemptsOffset = kSelectionChecksumOffset + 8;
inline constexpr uint32_t kSelectionConfirmedOffset = kSelectionAttemptsOffset + 4;
inline constexpr uint32_t kSelectionRejectedOffset = kSelectionConfirmedOffset + 4;
inline constexpr uint32_t kSelectionRecordSize = kSelectionRejectedOffset + 4;

inline constexpr uint32_t kConfirmedMark = 0x5AA5C33C;
inline constexpr uint32_t kRejectedMark = 0xA53C5AC3;
inline constexpr unsigned kMarkTolerance = 7;  // Bits; an erased word and a word of zeros are 16 away.

// Boots that may begin with a record on test before it is given up: one that hangs the board must not do so for ever,
// and a loss of power in the middle must not discard it.
inline constexpr unsigned kMaxAttempts = 3;

enum class RecordState : uint8_t { kErased, kDamaged, kTest, kConfirmed, kRejected };

struct SelectionRecord {
  RecordState state = RecordState::kErased;
  uint32_t sequence = 0;
  unsigned attempts = 0;
  ByteView name;  // In flash: valid until its sector is erased. Empty: the base.

  bool valid() const { return state >= RecordState::kTest; }
};

class BootSelection {
 public:
  static constexpr unsigned kNone = MV_SELECTION_SECTORS;

  // `flash` must outlive this. Reads both sectors.
  explicit BootSelection(const mv_flash* flash);

  const SelectionRecord& record(unsigned sector) const { return records_[sector]; }

  // The sector of the newest record, or kNone.
  unsigned newest() const;
  // The sector of a confirmed record that is not `sector`, the newer of two; kNone if there is none.
  unsigned ConfirmedBeside(unsigned sector) const;

  // Puts `name` (at most 255 bytes, not in the sectors; empty: the base) on test. Does nothing if it is what the next
  // boot will try anyway.
  [[nodiscard]] mv_error Select(ByteView name);

  // Marks on a record: another attempt with it begins; it went well; it went wrong.
  [[nodiscard]] mv_error MarkAttempt(unsigned sector);
  [[nodiscard]] mv_error Confirm(unsigned sector);
  [[nodiscard]] mv_error Reject(unsigned sector);

  // This record has just been proven good: Select() spares it rather than a newer one that was not.
  void SetProven(unsigned sector) { proven_ = sector; }

 private:
  void Read(unsigned sector);
  mv_error Mark(unsigned sector, uint32_t offset, uint32_t word);
  uint32_t Reachable(unsigned sector, uint32_t offset, uint32_t mark) const;

  const mv_flash* flash_;
  SelectionRecord records_[MV_SELECTION_SECTORS];
  unsigned proven_ = kNone;
};

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_BOOT_BOOT_SELECTION_H_
