// A patch that comes frame by frame, kept in flash until all of it is there: so it can be read again, and a cut costs a
// frame.
//
// The region is a log of places of kStagePlace bytes, of which one holds, in units of MV_SELECTION_UNIT bytes,
// little-endian:
//
//   offset  size  field
//        0     4  magic 0x5346564D ("MVFS")
//        4     4  index: the frame's number
//        8     4  size: bytes of the frame; 0: the seal, behind the last one
//       12     2  first, and
//       14     2  end: places from the one to before the other are void
//       16     8  patch: its header_checksum
//       24     8  XXH64 of the 24 bytes before and the frame
//       32   960  the frame: kStageFrame bytes of the patch, fewer of the last one
//      992     8  a mark: XXH64 of that XXH64. It is made when all of the rest is there
//
// Frames may come in any number of starts. A sector is erased before its first place is used. The last place of the log
// may have been cut off: then it reads well now and not later, and nobody can tell. So at the next start it counts as
// missing, the last one that reads whole with all behind it, and every place that is made from then on says so: a place
// counts if it is whole and no whole one calls it void. The seal, behind all frames, is there to be the last one. A log
// that is full is erased.
#ifndef MODELVAULT_FIRMWARE_RISCV_UPDATE_PATCH_STAGE_H_
#define MODELVAULT_FIRMWARE_RISCV_UPDATE_PATCH_STAGE_H_

#include "codec/core/bytes.h"
#include "firmware_riscv/boot/flash_region.h"
#include "firmware_riscv/update/patch_reader.h"

namespace modelvault {

inline constexpr uint32_t kStageMagic = 0x5346564D;
inline constexpr uint32_t kStagePlace = 1024;
inline constexpr uint32_t kStageFrame = kStagePlace - 2 * MV_SELECTION_UNIT;

class PatchStage {
 public:
  // `region` has two sectors or more, each a multiple of kStagePlace, and less than 2^16 of these; it must outlive
  // this.
  explicit PatchStage(const mv_region* region) : region_(region) {}

  // Reads what there is. `trust_last`: nothing was being added when the power last went.
  [[nodiscard]] mv_error Open(bool trust_last);

  // Whose frames are there; 0: nobody's.
  uint64_t patch() const { return patch_; }
  // The first frame that is missing; 0 also where nothing is known of the patch.
  uint32_t next() const { return next_; }
  bool complete() const { return count_ > 0 && next_ == count_; }

  // Keeps the frame next(), or frame 0, which has the patch's header: if that is of another patch, all others go. After
  // each, next() is what is missing, which may be all of it again.
  // MV_BAD_PATCH: frame 0 is no patch's, or one of more than the region holds; MV_BAD_ARGUMENT: another frame, or size.
  [[nodiscard]] mv_error Add(uint32_t index, ByteView frame);

  // Reads a patch that is complete; MV_READ_FAILED where a frame does not read well any more. This must not move.
  PatchSource Source();

 private:
  friend mv_error ReadFlashStage(void* stage, uint32_t offset, uint8_t* out, uint32_t size);

  // Places that count as missing.
  struct Voids {
    uint16_t begin = 0;
    uint16_t end = 0;
  };
  struct Head {
    uint32_t index = 0;
    uint32_t size = 0;
    Voids voids;
    uint64_t patch = 0;
    uint64_t checksum = 0;
  };
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kMostVoids = 16;  // About as many cuts while one patch comes.

  uint32_t places() const { return region_->size / kStagePlace; }
  uint32_t sector_places() const { return region_->sector_size / kStagePlace; }
  bool ReadHead(uint32_t place, Head* head) const;
  bool ReadsErased(uint32_t place) const;
  // Its head, where all of the place is whole and of this patch.
  bool IsWhole(uint32_t place, Head* head) const;
  bool Counts(uint32_t place) const;
  bool AddVoid(Voids voids);
  bool Find(uint32_t index);
  void CountFrames();
  void Forget();
  mv_error Clear();
  mv_error WriteNext(uint32_t index, ByteView frame);
  mv_error Append(uint32_t index, ByteView frame);
  mv_error Read(uint32_t offset, uint8_t* out, uint32_t size);

  const mv_region* region_;
  uint64_t patch_ = 0;
  uint32_t count_ = 0;  // Frames of the patch; 0: unknown.
  uint32_t next_ = 0;
  uint32_t end_ = 0;    // Place behind the log,
  uint32_t begin_ = 0;  // as it was at this start.
  Voids voids_[kMostVoids];
  uint32_t void_count_ = 0;
  Voids own_;               // What places that are made from now on call void.
  uint32_t found_ = 0;      // Where the last frame was found,
  uint32_t index_ = kNone;  // and which that was.
};

// PatchSource::read of PatchStage::Source().
mv_error ReadFlashStage(void* stage, uint32_t offset, uint8_t* out, uint32_t size);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_UPDATE_PATCH_STAGE_H_
