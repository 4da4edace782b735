// Which variant the board boots: kept in two flash sectors so that power may fail at any moment, and changed the way
// boot loaders change images: a new choice is on test until a boot with it went well.
//
// A sector holds at most one record, at its front (words, little-endian). What is programmed together is a unit of
// MV_SELECTION_UNIT bytes, here 32, and none is programmed twice, since there is flash that cannot:
//
//   offset  size  field
//        0     4  magic 0x3253564D ("MVS2")
//        4     4  sequence: the newer of two records has the larger one (modulo 2^32)
//        8     4  name size, 0 … 255; 0 is the base
//       12     4  the unit's size
//       16   264  name, padded with 0xFF
//      280     8  XXH64 of the bytes before, in the unit programmed last: a record is whole or is not one
//      288    96  attempts: three units; one that is not erased stands for a boot that has tried this record on test
//      384    64  confirmed by a good boot: two units, either of which may begin with 0x5AA5C33C
//      448    64  rejected after a bad one: two units, either of which may begin with 0xA53C5AC3
//      480    32  all before the marks was written: begins with 0x3C5AA5C3, in the second unit of those two
//
// Marks start erased and are programmed where they lie, without an erase: a mark costs one program. It counts if at
// most 7 of its bits differ, so one that was cut off in the middle is either there or not, a flipped bit does not undo
// it, and neither an erased word nor one of zeros is one. Its second unit is for a first one that is neither erased nor
// it, or that does not take a program.
//
// Records of the first format are read and marked, but no longer written. Their magic is 0x3153564D ("MVS1"), the name
// follows at 12, the XXH64 at 268, and the three marks are words at 276: attempts (a zero bit each), confirmed,
// rejected.
//
// A new record never takes the sector of the one to fall back to, and its sector is erased first even if it reads
// erased, since an erase that was cut short may read well and not stay so. Whatever is interrupted, the other sector
// holds a record that was confirmed, or there was none and the base boots. A record whose last unit was cut off may
// read well, too, so one on test is none without the mark behind it, which is made when all of it is there, or an
// attempt. What reads well by luck after an erase that was cut off can't be told: should it be confirmed, and the other
// variant have gone bad, and the next choice be cut off as well, the base boots, proven as ever.
#ifndef MODELVAULT_FIRMWARE_RISCV_BOOT_BOOT_SELECTION_H_
#define MODELVAULT_FIRMWARE_RISCV_BOOT_BOOT_SELECTION_H_

#include "codec/core/bytes.h"
#include "firmware_riscv/boot/flash_driver.h"
#include "firmware_riscv/boot/update_steps.h"

namespace modelvault {

inline constexpr uint32_t kSelectionMagic = 0x3253564D;
inline constexpr uint32_t kSelectionUnit = MV_SELECTION_UNIT;
inline constexpr uint32_t kSelectionSequenceOffset = 4;
inline constexpr uint32_t kSelectionNameSizeOffset = 8;
inline constexpr uint32_t kSelectionUnitOffset = 12;
inline constexpr uint32_t kSelectionNameOffset = 16;
// All before the marks, in whole units.
inline constexpr uint32_t kSelectionBodySize =
    (kSelectionNameOffset + MV_MAX_NAME_SIZE + 1 + 8 + kSelectionUnit - 1) / kSelectionUnit * kSelectionUnit;
inline constexpr uint32_t kSelectionChecksumOffset = kSelectionBodySize - 8;

// Boots that may begin with a record on test before it is given up: one that hangs the board must not do so for ever,
// and a loss of power in the middle must not discard it.
inline constexpr unsigned kMaxAttempts = 3;

inline constexpr uint32_t kSelectionMarkUnits = 2;
inline constexpr uint32_t kSelectionAttemptsOffset = kSelectionBodySize;
inline constexpr uint32_t kSelectionConfirmedOffset = kSelectionAttemptsOffset + kMaxAttempts * kSelectionUnit;
inline constexpr uint32_t kSelectionRejectedOffset = kSelectionConfirmedOffset + kSelectionMarkUnits * kSelectionUnit;
inline constexpr uint32_t kSelectionWholeOffset = kSelectionRejectedOffset + kSelectionUnit;
inline constexpr uint32_t kSelectionRecordSize = kSelectionRejectedOffset + kSelectionMarkUnits * kSelectionUnit;

// The first format's.
inline constexpr uint32_t kFirstSelectionMagic = 0x3153564D;
inline constexpr uint32_t kFirstSelectionNameOffset = 12;
inline constexpr uint32_t kFirstSelectionChecksumOffset = 268;
inline constexpr uint32_t kFirstSelectionAttemptsOffset = 276;
inline constexpr uint32_t kFirstSelectionConfirmedOffset = 280;
inline constexpr uint32_t kFirstSelectionRejectedOffset = 284;

inline constexpr uint32_t kConfirmedMark = 0x5AA5C33C;
inline constexpr uint32_t kRejectedMark = 0xA53C5AC3;
inline constexpr uint32_t kWholeMark = 0x3C5AA5C3;
inline constexpr unsigned kMarkTolerance = 7;  // Bits; an erased word and a word of zeros are 16 away.

enum class RecordState : uint8_t { kErased, kDamaged, kTest, kConfirmed, kRejected };

struct SelectionRecord {
  RecordState state = RecordState::kErased;
  uint32_t sequence = 0;
  unsigned attempts = 0;
  ByteView name;  // In flash: valid until its sector is erased. Empty: the base.

  bool valid() const { return state >= RecordState::kTest; }
};

template <UpdateSteps kSteps>
class BasicBootSelection {
 public:
  static constexpr unsigned kNone = MV_SELECTION_SECTORS;

  // `flash` must outlive this. Reads both sectors.
  explicit BasicBootSelection(const mv_flash* flash);

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
  mv_error WriteRecord(unsigned sector, uint32_t sequence, ByteView name);
  mv_error Mark(unsigned sector, uint32_t offset, uint32_t units, uint32_t mark);
  mv_error MarkFirstFormat(unsigned sector, uint32_t offset, uint32_t word);
  bool IsFirstFormat(unsigned sector) const;
  uint32_t Word(unsigned sector, uint32_t offset) const { return LoadLe32(flash_->sector[sector] + offset); }

  const mv_flash* flash_;
  SelectionRecord records_[MV_SELECTION_SECTORS];
  unsigned proven_ = kNone;
};

using BootSelection = BasicBootSelection<kAllSteps>;

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_BOOT_BOOT_SELECTION_H_
