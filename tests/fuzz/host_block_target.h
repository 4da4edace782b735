// What the fuzz target of host blocks does with an input: u8 dtype (modulo their number), u8 flags, u16 size of the
// piece, rest = the block. The piece's reference is MadeUpBase(). tests/codec/fuzz_seeds_test.cc runs the same on the
// seeds.
#ifndef MODELVAULT_TESTS_FUZZ_HOST_BLOCK_TARGET_H_
#define MODELVAULT_TESTS_FUZZ_HOST_BLOCK_TARGET_H_

#include <string>

#include "codec/host/block_codec.h"
#include "codec/host/vector_targets.h"
#include "hwy/highway.h"
#include "tests/fuzz/codec_targets.h"

namespace modelvault {

inline constexpr uint8_t kHostBlockReference = 1;  // There is one.
inline constexpr uint8_t kHostBlockCompare =
    0xF0;  // All of these bits: by the scalar code, too, which takes long to choose.

inline CoreStatus FuzzHostBlock(const uint8_t* data, size_t size) {
  static BlockScratch* const kept = new BlockScratch;  // As a reader's, with what earlier blocks left in it.
  FuzzInput input(data, size);
  const DType dtype = static_cast<DType>(input.Byte() % kDTypeCount);
  const uint8_t flags = input.Byte();
  const size_t low = input.Byte();
  const size_t piece_size = low + 256u * input.Byte();
  const std::vector<uint8_t> stored = input.Rest();
  std::vector<uint8_t> reference((flags & kHostBlockReference) != 0 ? piece_size : 0);
  MadeUpBase(0, reference.size(), reference.data());
  std::vector<uint8_t> out(piece_size);
  const CoreStatus status = DecodeBlock(dtype, stored, reference, kept, absl::MakeSpan(out));
  if ((flags & kHostBlockCompare) == kHostBlockCompare) {
    hwy::SetSupportedTargetsForTest(HWY_STATIC_TARGET);
    BlockScratch fresh;
    std::vector<uint8_t> again(piece_size);
    const CoreStatus scalar = DecodeBlock(dtype, stored, reference, &fresh, absl::MakeSpan(again));
    hwy::SetSupportedTargetsForTest(0);
    Check(scalar == status && (status != CoreStatus::kOk || again == out));
  }
  if (status != CoreStatus::kOk) return status;
  std::string block;
  EncodeBlock(dtype, out, reference, kept, &block);
  Check(block.size() <= piece_size + kBlockOverhead);
  std::vector<uint8_t> back(piece_size);
  const std::vector<uint8_t> exact(block.begin(), block.end());
  Check(DecodeBlock(dtype, exact, reference, kept, absl::MakeSpan(back)) == CoreStatus::kOk && back == out);
  return status;
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FUZZ_HOST_BLOCK_TARGET_H_
