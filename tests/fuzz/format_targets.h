// Any bytes as a model file of one format. What is accepted comes back from its frame and its data, byte for byte; all
// else is refused by kInvalidArgument. tests/tools/formats/fuzz_seeds_test.cc runs the same on the seeds, which must
// parse.
#ifndef MODELVAULT_TESTS_FUZZ_FORMAT_TARGETS_H_
#define MODELVAULT_TESTS_FUZZ_FORMAT_TARGETS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "restore/described_frame.h"
#include "restore/file_assembler.h"
#include "restore/model_file.h"
#include "tests/fuzz/codec_targets.h"
#include "tests/vault/memory_file.h"

namespace modelvault {

// `files`: what the bytes are joined from, where that is more than one. The first refusal, if there is one.
inline absl::Status FuzzModelFile(const ModelFormat& format, const std::vector<uint8_t>& bytes,
                                  const std::vector<FilePart>& files = {}) {
  absl::Status refused;
  for (const bool whole_file : {false, true}) {
    FrameOptions options;
    options.whole_file = whole_file;
    options.files = files;
    const absl::StatusOr<ModelFile> file = ModelFile::FromFile(format, std::make_unique<MemoryFile>(bytes), options);
    if (!file.ok()) {
      Check(absl::IsInvalidArgument(file.status()) && file.status().message().size() < 4000);
      refused.Update(file.status());
      continue;
    }
    Check(file->size() == bytes.size());
    std::vector<uint8_t> section(static_cast<size_t>(file->data_size()));
    Check(file->ReadData(0, absl::MakeSpan(section)).ok());
    // What restores has the frame alone.
    const absl::StatusOr<ModelStructure> structure = ParseDescribedFrame(file->frame(), section.size(), "frame");
    Check(structure.ok());
    std::vector<uint8_t> again;
    FileAssembler assembler(file->frame(), *structure, [&](absl::Span<const uint8_t> more) {
      again.insert(again.end(), more.begin(), more.end());
      return absl::OkStatus();
    });
    Check(assembler.Append(section).ok() && assembler.Finish().ok());
    Check(again == bytes);
  }
  return refused;
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FUZZ_FORMAT_TARGETS_H_
