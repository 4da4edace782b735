// What the board remembers beside its vaults: which of two slots is active, what an update has done so far, the least
// version it takes, the newest key set and revocation list it has accepted. Kept in three flash sectors so that power
// may fail at any moment.
//
// A sector holds at most one record, at its front (little-endian), in units of MV_SELECTION_UNIT bytes, here 32, of
// which none is programmed twice:
//
//   offset  size  field
//        0     4  magic 0x3144564D ("MVD1")
//        4     4  sequence, from 1: the newest record has the largest (flash wears out long before it ends)
//        8     4  base: the sequence of a record that was known to be whole when this one was begun; 0: none was
//       12     4  the unit's size
//       16     1  phase: 0 stable, 1 trial (the active slot is new), 2 updating (the other slot is being written), 3 in
//                 place (the active slot is being written: nothing starts before that is done)
//       17     1  active slot, 0 or 1
//       18     1  1: the other slot is whole, as it was when it was active; else 0
//       19     1  zero
//       20     4  count: updating: sectors of the other slot that are done; trial: attempts so far; in place: steps
//                 that are done (update/in_place_update.h)
//       24     8  least_version: no vault of a lower version is started
//       32     8  least_revocation: no revocation list of a lower number is taken
//       40     8  patch: updating, in place: the header_checksum of the patch; else zero
//       48    32  key set: the digest of the newest that was accepted; zeros: none
//       88     8  XXH64 of all bytes before it; the bytes before it that no field has are 0xFF
//       96        marks, a unit each, to the sector's end: u32 0x4B52414D ("MARK"), u32 count, XXH64 of these 8 bytes
//                 and the record's XXH64, 0xFF. The count that holds is the largest
//
// A record whose writing was cut off may read well now and not later, and so may a sector whose erase was; nobody can
// tell. So nothing is done that relies on a record before it is known to be whole: this start-up has written it, or it
// has a mark, since the first one is made when all of the record is there. One without is written anew first
// (Secure()), into a sector that holds neither it nor its base: one of those two is whole, and nothing was done since
// that relies on more. For that it takes three sectors. All sectors but those two are erased, so that no half-written
// record comes back later with the same sequence. A mark is never relied on to stay: a count that comes back lower
// means work that is done twice, or an attempt more.
#ifndef MODELVAULT_FIRMWARE_RISCV_BOOT_DEVICE_STATE_H_
#define MODELVAULT_FIRMWARE_RISCV_BOOT_DEVICE_STATE_H_

#include "codec/core/bytes.h"
#include "firmware_riscv/boot/flash_region.h"
#include "firmware_riscv/boot/update_steps.h"

namespace modelvault {

inline constexpr unsigned kStateSectors = 3;
inline constexpr uint32_t kStateMagic = 0x3144564D;
inline constexpr uint32_t kStateMarkMagic = 0x4B52414D;
inline constexpr uint32_t kStateFieldsSize = 80;
inline constexpr uint32_t kStateBodySize =
    (kStateFieldsSize + 8 + MV_SELECTION_UNIT - 1) / MV_SELECTION_UNIT * MV_SELECTION_UNIT;
inline constexpr uint32_t kStateChecksumOffset = kStateBodySize - 8;
inline constexpr uint32_t kStateMarkSize = 16;

// Starts of a vault on trial before it is given up.
inline constexpr uint32_t kMaxSlotAttempts = 3;

inline constexpr unsigned kSlots = 2;
inline constexpr unsigned kNoSlot = kSlots;

enum class SlotPhase : uint8_t { kStable = 0, kTrial = 1, kUpdating = 2, kInPlace = 3 };

struct DeviceRecord {
  uint32_t sequence = 0;  // 0: there is no record, and the rest is as on a new board.
  uint32_t base = 0;
  SlotPhase phase = SlotPhase::kStable;
  uint8_t active = 0;
  bool other_whole = false;
  uint32_t count = 0;
  uint64_t least_version = 0;
  uint64_t least_revocation = 0;
  uint64_t patch = 0;
  uint8_t key_set[32] = {};
};

// A counter that only rises and outlives the flash, such as fuses. The least version is the larger of it and the
// record's, so that sectors that were wiped, or put back as they were, do not bring an old vault back.
struct mv_counter {
  uint64_t (*read)(void* context);
  // Raises it to `value`, which is larger than what read() gives.
  mv_error (*advance)(void* context, uint64_t value);
  void* context;
};

template <UpdateSteps kSteps>
class BasicDeviceState {
 public:
  // `region` has kStateSectors sectors of at least kStateBodySize bytes and MV_SELECTION_UNIT for a mark; `counter` may
  // be null. Both must outlive this. Reads the sectors.
  BasicDeviceState(const mv_region* region, const mv_counter* counter);

  const DeviceRecord& record() const { return record_; }
  uint64_t least_version() const;

  // The vault in `slot`, of this version, was verified and is what runs now (slot_boot.h).
  void SetProven(unsigned slot, uint64_t version);
  unsigned proven() const { return proven_; }

  // The changes; each is one record or mark, and returns when it is whole in the flash. MV_NOT_FINISHED: not in this
  // phase, or nothing was proven yet.

  // Another start of a vault on trial begins.
  [[nodiscard]] mv_error MarkAttempt();

  // The slot that does not run will be written, by this patch. Goes on where an update by the same patch was cut off;
  // otherwise from the front. *trusted: what the slot holds is the whole vault that was active before, so that what
  // reads as it should there can stay. Not while a vault on trial runs: it would lose what there is to fall back to.
  [[nodiscard]] mv_error BeginUpdate(uint64_t patch, bool* trusted);
  // Its first `count` sectors are done; or so many steps of an update in place.
  [[nodiscard]] mv_error MarkProgress(uint32_t count);
  // None of it is, although all was written: it did not verify.
  [[nodiscard]] mv_error RestartUpdate();
  // The slot that was written holds a verified vault of this version: it is active from the next start on, on trial.
  [[nodiscard]] mv_error Switch(uint64_t version);

  // The active slot, which runs, will be written, by this patch; or goes on to be, before anything was proven.
  [[nodiscard]] mv_error BeginInPlace(uint64_t patch);
  // It is all written.
  [[nodiscard]] mv_error EndInPlace();

  // What runs has proven good: it is the choice from now on, and `least_version`, at most its own version, the floor if
  // it is higher than today's. Writes nothing if all of that is so already, and known to be.
  [[nodiscard]] mv_error Confirm(uint64_t least_version);

  // `digest`: 32 bytes. Writes nothing if it is the one.
  [[nodiscard]] mv_error AcceptKeySet(const uint8_t* digest);
  // Writes nothing if `number` is not higher.
  [[nodiscard]] mv_error RaiseRevocation(uint64_t number);

 private:
  static constexpr unsigned kNone = kStateSectors;

  // Where a record is, or is being written.
  struct Place {
    unsigned sector = kNone;
    uint64_t checksum = 0;                // The record's own.
    uint32_t next_mark = kStateBodySize;  // Offset in the sector.
  };

  void ReadSector(unsigned sector, DeviceRecord* record, uint64_t* checksum) const;
  void ReadMarks();
  bool ReadsErased(unsigned sector) const;
  mv_error Secure();
  mv_error Write(DeviceRecord next);
  mv_error WriteInto(DeviceRecord next, uint32_t base);
  mv_error ProgramMark(Place* place, uint32_t count);
  mv_error Mark(uint32_t count);

  const mv_region* region_;
  const mv_counter* counter_;
  DeviceRecord record_;                     // The newest, its count with what the marks say.
  Place place_;                             // Of it.
  uint32_t sequences_[kStateSectors] = {};  // Of the records that there are.
  bool secure_ = false;                     // The newest record is known to be whole.
  unsigned proven_ = kNoSlot;
  uint64_t proven_version_ = 0;
};

using DeviceState = BasicDeviceState<kAllSteps>;

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_BOOT_DEVICE_STATE_H_
