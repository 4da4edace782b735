// What the fuzz target of described frames does with an input, its promises checked with aborts.
// tests/restore/fuzz_seeds_test.cc runs the same on the seeds, which must parse.
//
//   described_frame: u64 bytes of the data section, rest = the frame
#ifndef MODELVAULT_TESTS_FUZZ_FRAME_TARGETS_H_
#define MODELVAULT_TESTS_FUZZ_FRAME_TARGETS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "codec/split_mix_64.h"
#include "restore/described_frame.h"
#include "restore/file_assembler.h"
#include "restore/model_file.h"
#include "tests/fuzz/codec_targets.h"
#include "tests/vault/memory_file.h"

namespace modelvault {

// A format whose files have a frame that somebody else says.
class GivenFrame : public ModelFormat {
 public:
  explicit GivenFrame(std::string frame) : frame_(std::move(frame)) {}
  absl::string_view name() const override { return "given"; }
  std::vector<absl::string_view> extensions() const override { return {".given"}; }
  bool Recognises(absl::Span<const uint8_t>) const override { return true; }
  absl::StatusOr<std::string> ReadFrame(const RandomAccessFile&, const FrameOptions&) const override { return frame_; }

 private:
  std::string frame_;
};

// The file that a frame and data make is taken apart into the same.
inline void FuzzAssembly(const std::string& frame, const ModelStructure& structure, uint64_t data_size) {
  SplitMix64 random(data_size);
  std::vector<uint8_t> data(static_cast<size_t>(data_size));
  for (uint8_t& byte : data) byte = static_cast<uint8_t>(random.Next());
  std::vector<uint8_t> bytes;
  FileAssembler assembler(frame, structure, [&](absl::Span<const uint8_t> more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
    return absl::OkStatus();
  });
  for (size_t at = 0; at < data.size();) {
    const size_t step = std::min<size_t>(data.size() - at, 1 + static_cast<size_t>(random.Below(100)));
    Check(assembler.Append({data.data() + at, step}).ok());
    at += step;
  }
  Check(assembler.Finish().ok());
  Check(bytes.size() == data_size + frame.size() - structure.description_size);
  const GivenFrame format(frame);
  const auto file = ModelFile::FromFile(format, std::make_unique<MemoryFile>(bytes));
  Check(file.ok() && file->data_size() == data_size);
  const absl::StatusOr<std::string> again = file->ReadFrameAgain();
  Check(again.ok() && *again == frame);
  std::vector<uint8_t> all(data.size());
  Check(file->ReadData(0, absl::MakeSpan(all)).ok() && all == data);
  for (int i = 0; i < 4 && !data.empty(); ++i) {
    const size_t begin = static_cast<size_t>(random.Below(data.size()));
    std::vector<uint8_t> part(static_cast<size_t>(random.Below(data.size() - begin + 1)));
    Check(file->ReadData(begin, absl::MakeSpan(part)).ok());
    Check(std::equal(part.begin(), part.end(), data.begin() + static_cast<ptrdiff_t>(begin)));
  }
}

inline absl::Status FuzzDescribedFrame(const uint8_t* data, size_t size) {
  constexpr uint64_t kMostBytes = 1 << 16;
  if (size < sizeof(uint64_t)) return absl::InvalidArgumentError("no size");
  const uint64_t data_size = LoadLe64(data);
  const std::string frame(reinterpret_cast<const char*>(data) + sizeof(uint64_t), size - sizeof(uint64_t));
  const absl::StatusOr<ModelStructure> structure = ParseDescribedFrame(frame, data_size, "frame");
  if (!structure.ok()) {
    Check(absl::IsInvalidArgument(structure.status()) && structure.status().message().size() < 4000);
    return structure.status();
  }
  uint64_t covered = 0;
  for (const ModelTensor& tensor : structure->tensors) {
    Check(tensor.begin == covered && tensor.end >= tensor.begin && !tensor.name.empty());
    covered = tensor.end;
  }
  Check(covered == data_size);
  uint64_t framed = structure->description_size;
  for (const FramePiece& piece : structure->pieces) framed += piece.size;
  Check(framed == frame.size());
  for (const FilePart& file : structure->files) Check(IsSafePath(file.path));
  const absl::StatusOr<std::string> description = EncodeDescription(*structure, "frame");
  Check(description.ok());
  const std::string same = *description + frame.substr(static_cast<size_t>(structure->description_size));
  const absl::StatusOr<ModelStructure> again = ParseDescribedFrame(same, data_size, "frame");
  Check(again.ok() && again->tensors == structure->tensors && again->weaves == structure->weaves &&
        again->files == structure->files);
  if (data_size <= kMostBytes) FuzzAssembly(frame, *structure, data_size);
  return absl::OkStatus();
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FUZZ_FRAME_TARGETS_H_
