// Files that hold a model, whatever their format: tensors, and the bytes around them.
//
// A vault keeps such a file in two parts. The data section is the tensors' bytes, one after the other, in the order of
// the file. The frame is all other bytes, joined in the order of the file: what stands before, between and behind the
// tensors. MANIFEST calls the frame the file header, which is all there is of it in formats that begin with one. In
// front of these bytes a frame may have a description, from which alone the file is put together again; formats whose
// frames tell all by themselves need none.
#ifndef MODELVAULT_RESTORE_MODEL_FILE_H_
#define MODELVAULT_RESTORE_MODEL_FILE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "codec/data_source.h"
#include "codec/model_tensor.h"
#include "restore/model_structure.h"
#include "vault/file_system.h"

namespace modelvault {

// How a file is to be taken apart.
struct FrameOptions {
  // Nothing goes into the frame but its description: what stands between the tensors is tensors of opaque bytes. The
  // data section is the file.
  bool whole_file = false;
  // What the bytes are cut into, if the model has several files; they add up to its size.
  std::vector<FilePart> files;
};

// How a tensor's integers stand for reals: scale · (integer − zero point).
struct TensorQuantisation {
  std::string tensor;
  int64_t axis = 0;                  // The dimension that has a scale for each index, where there are several.
  std::vector<float> scales;         // At least one.
  std::vector<int64_t> zero_points;  // As many, one for all, or none: 0.
};

// One of the files of a model that has several.
struct OtherFile {
  std::string path;  // Below the folder of the first.
  std::unique_ptr<RandomAccessFile> file;
};

// A format of model files. A new one is a subclass and an entry in tools/formats/model_formats.cc. Implementations are
// immutable and thread-safe, take files and frames for hostile, and answer anything wrong with them by
// kInvalidArgument, naming the file, the tensor, what was expected and what was found.
class ModelFormat {
 public:
  virtual ~ModelFormat() = default;

  // For messages, e.g. "safetensors".
  virtual absl::string_view name() const = 0;

  // How names of such files end, e.g. ".safetensors".
  virtual std::vector<absl::string_view> extensions() const = 0;

  // Whether a model may have more files than the one that Recognises() is asked about.
  virtual bool has_other_files() const { return false; }

  // Whether tensors are called what a converter happened to call them, so that models alike may have other names.
  virtual bool names_are_generated() const { return false; }

  // Whether a file that begins with `head` is meant to be of this format, sound or not. `head` has
  // kModelHeadSize bytes; fewer only if that is the whole file, or the whole frame.
  virtual bool Recognises(absl::Span<const uint8_t> head) const = 0;

  // The other files of a model with this one, in the order in which their bytes follow; those that its bytes name opened
  // by FileSystem::OpenBelow. By default there are none.
  virtual absl::StatusOr<std::vector<OtherFile>> OpenOthers(FileSystem&, const RandomAccessFile&) const {
    return std::vector<OtherFile>();
  }

  // The frame of an open file: one that describes itself (restore/described_frame.h), or one that begins with what
  // Recognises() looks at.
  virtual absl::StatusOr<std::string> ReadFrame(const RandomAccessFile& file, const FrameOptions& options) const = 0;

  // Whether files say how their tensors' integers stand for reals,
  virtual bool has_quantisation() const { return false; }
  // and what they say. The file is one that ReadFrame takes with these files.
  virtual absl::StatusOr<std::vector<TensorQuantisation>> ReadQuantisation(const RandomAccessFile&,
                                                                           const std::vector<FilePart>&) const {
    return std::vector<TensorQuantisation>();
  }

  // The structure of a file with a frame that does not describe itself and a data section of `data_size` bytes. It
  // follows from these alone: a vault keeps nothing else.
  virtual absl::StatusOr<ModelStructure> ParseFrame(absl::Span<const uint8_t> frame, uint64_t data_size,
                                                    absl::string_view file_name) const;
};

inline constexpr size_t kModelHeadSize = 512;

// An open model file that was found valid. Thread-safe: nothing changes after Open.
class ModelFile {
 public:
  // Reads the frame only. `format` must outlive the result. kInvalidArgument for a file of more than `most` bytes: the
  // default is what memory can be asked for, so that sizes within a file fit a size_t.
  static absl::StatusOr<ModelFile> FromFile(const ModelFormat& format, std::unique_ptr<RandomAccessFile> file,
                                            const FrameOptions& options = {}, size_t most = SIZE_MAX);

  const ModelFormat& format() const { return *format_; }
  const std::string& path() const { return file_->path(); }
  const RandomAccessFile& file() const { return *file_; }
  const ModelStructure& structure() const { return structure_; }
  const std::vector<ModelTensor>& tensors() const { return structure_.tensors; }
  const std::string& frame() const { return frame_; }
  uint64_t data_size() const { return file_->size() - (frame_.size() - structure_.description_size); }
  uint64_t size() const { return file_->size(); }

  // Fills all of `out` with the bytes at `offset` of the data section; the range must lie within it.
  absl::Status ReadData(uint64_t offset, absl::Span<uint8_t> out) const;

  // The frame with the bytes that stand in the file now.
  absl::StatusOr<std::string> ReadFrameAgain() const;

 private:
  ModelFile(const ModelFormat* format, std::unique_ptr<RandomAccessFile> file, std::string frame,
            ModelStructure structure)
      : format_(format), file_(std::move(file)), frame_(std::move(frame)), structure_(std::move(structure)) {}

  absl::Status ReadBetweenPieces(uint64_t framed, uint64_t offset, absl::Span<uint8_t> out) const;
  absl::Status ReadWoven(const Weave& weave, uint64_t file_offset, uint64_t offset, absl::Span<uint8_t> out) const;

  const ModelFormat* format_;
  std::unique_ptr<RandomAccessFile> file_;
  std::string frame_;
  ModelStructure structure_;
};

// The data section of an open file, which must outlive it. Thread-safe.
class FileDataSource : public DataSource {
 public:
  explicit FileDataSource(const ModelFile* file) : file_(file) {}
  uint64_t size() const override { return file_->data_size(); }
  absl::Status Read(uint64_t offset, absl::Span<uint8_t> out) override { return file_->ReadData(offset, out); }

 private:
  const ModelFile* file_;
};

// The formats that a program knows. Immutable, thread-safe.
class ModelFormats {
 public:
  // Asked in this order. All must outlive it.
  explicit ModelFormats(std::vector<const ModelFormat*> formats) : formats_(std::move(formats)) {}

  // Opens a model file of the format that recognises it by its content, with the other files of the model, or a folder
  // that is one model. kInvalidArgument for what none recognises. The files of `options` are found here.
  absl::StatusOr<ModelFile> Open(FileSystem& file_system, absl::string_view path,
                                 const FrameOptions& options = {}) const;

  // Whether a file that begins with `head`, as of ModelFormat::Recognises, is one of these formats.
  bool Recognises(absl::Span<const uint8_t> head) const;

  // The format of this name; nullptr if there is none.
  const ModelFormat* Named(absl::string_view name) const;

  // The extensions of all, for messages: "*.safetensors, *.onnx".
  std::string Extensions() const;
  bool HasExtension(absl::string_view file_name) const;

  // The name of the only model in `folder`, which makes the folder a model: the only file with an extension of formats
  // that may have other files, which then are not looked at, or, where there is none, with any extension. Hidden files
  // do not count. Empty if there is none; kInvalidArgument for more than one.
  absl::StatusOr<std::string> FindMainFile(FileSystem& file_system, const std::string& folder) const;

  // The structure that a stored frame describes, by itself or as ModelFormat::ParseFrame. `what` is its name in
  // messages.
  absl::StatusOr<ModelStructure> ParseFrame(absl::string_view frame, uint64_t data_size, absl::string_view what) const;

 private:
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenMainFile(FileSystem& file_system,
                                                                 const std::string& folder) const;
  absl::StatusOr<const ModelFormat*> Find(absl::Span<const uint8_t> head, absl::string_view file_name) const;

  std::vector<const ModelFormat*> formats_;
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_MODEL_FILE_H_
